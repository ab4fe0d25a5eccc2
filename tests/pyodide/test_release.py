"""The pinned release, from the real registries and from places that fail."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from rlm_kernel.download import PinnedFile
from rlm_kernel.errors import FetchError
from rlm_kernel.progress import SILENT
from rlm_kernel.pyodide import release
from rlm_kernel.pyodide.release import STDLIB, WASM, Release, ensure_release
from tests.fileserver import FileServer, serving

NOWHERE = "http://127.0.0.1:9/"


@pytest.fixture
def no_cdn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "CDN_URL", NOWHERE)


@pytest.fixture
def no_npm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def no_pypi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")


@pytest.mark.usefixtures("cache", "no_cdn", "no_npm", "no_pypi")
def test_the_error_says_what_failed_at_each_source(tmp_path: Path) -> None:
    with pytest.raises(FetchError) as caught:
        ensure_release(SILENT, url=str(tmp_path / "mirror"))
    first, *sources = str(caught.value).splitlines()
    assert first == "no source delivered pyodide.asm.wasm, python_stdlib.zip:"
    for line, part in zip(
        sources,
        [
            f"{tmp_path / 'mirror'}: [Errno 2] No such file",
            f"{NOWHERE}: [Errno 111] Connection refused",
            "the npm package pyodide@314.0.7: npm is not installed",
            "the PyPI package flet-web==1.1.0.dev1: ERROR:",
        ],
        strict=True,
    ):
        assert line.strip().startswith(part)


def assert_is_complete(files: Release) -> None:
    assert WASM.is_at(files.wasm)
    assert STDLIB.is_at(files.stdlib)
    kept = {path.name for path in files.wasm.parent.iterdir()}
    assert kept == {"pyodide.asm.wasm", "pyodide.asm.wasm.lock", "python_stdlib.zip"}


@pytest.mark.usefixtures("cache", "no_cdn", "no_npm")
def test_the_bytes_are_those_of_the_pypi_package() -> None:
    assert_is_complete(ensure_release(SILENT))


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is optional and not installed here")
@pytest.mark.usefixtures("cache", "no_cdn", "no_pypi")
def test_the_bytes_are_those_of_the_npm_package() -> None:
    assert_is_complete(ensure_release(SILENT))


@pytest.fixture
def small_release(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The content that both files of the release have meanwhile."""
    content = b"small"
    for name in ("WASM", "STDLIB"):
        pinned = PinnedFile(name, len(content), hashlib.sha256(content).hexdigest())
        monkeypatch.setattr(release, name, pinned)
    return content


@pytest.mark.usefixtures("cache")
def test_a_base_url_is_asked_before_all_others(small_release: bytes) -> None:
    with serving(FileServer(small_release)) as server:
        files = ensure_release(SILENT, url=server.url)
    assert files.wasm.read_bytes() == files.stdlib.read_bytes() == small_release
    assert len(server.requests) == 2


@pytest.mark.usefixtures("cache")
def test_the_cdn_is_asked_where_the_base_url_fails(
    small_release: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(FileServer(small_release)) as server:
        monkeypatch.setattr(release, "CDN_URL", server.url)
        files = ensure_release(SILENT, url=NOWHERE)
    assert files.wasm.read_bytes() == small_release
