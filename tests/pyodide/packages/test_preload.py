"""From requests to what the guest starts with."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache as once
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import wasmtime
from packaging.requirements import Requirement

from rlm_kernel.download import PinnedFile
from rlm_kernel.errors import BadWheel, FetchError, PackageConflict, PackageNotFound
from rlm_kernel.pyodide import make_engine, release
from rlm_kernel.pyodide.layers import SITE_PACKAGES
from rlm_kernel.pyodide.packages import ensure_preloaded
from rlm_kernel.pyodide.packages import index as index_module
from rlm_kernel.pyodide.packages.index import Candidate, NoCandidate
from rlm_kernel.pyodide.packages.names import import_names
from rlm_kernel.pyodide.packages.target import PLATFORM
from rlm_kernel.pyodide.preloaded import Preloaded
from rlm_kernel.wasm import Dylink, Module, SectionId
from tests.emscripten.side_modules import side_module
from tests.packages import write_wheel

pytestmark = pytest.mark.usefixtures("cache")

TAG = f"cp314-cp314-{PLATFORM}"
LIBRARY = "thing/fast.cpython-314-wasm32-emscripten.so"
CODE = side_module(
    """(module
      (import "env" "PyErr_NoMemory" (func (result i32)))
      (import "env" "own" (func $own (result i32)))
      (func (export "own") (result i32) (i32.const 1))
      (func (export "through") (result i32) (call $own)))""",
    Dylink(memory_size=16),
)

NO_BODY = Module(
    tuple(s for s in Module.parse(CODE).sections if s.id is not SectionId.CODE)
).encode()


@once
def engine() -> wasmtime.Engine:
    return make_engine()


def compile_tree(sources: Mapping[str, bytes]) -> Mapping[str, bytes]:
    return {f"{path}c": b"compiled " + text for path, text in sources.items()}


def preload(*texts: str, url: str | None = None) -> Preloaded:
    return ensure_preloaded(texts, engine(), compile_tree, url=url)


def content(preloaded: Preloaded) -> dict[str, bytes]:
    return {path: bytes(view) for path, view in preloaded.image.items()}


@pytest.fixture
def wheels(tmp_path: Path) -> tuple[str, str]:
    """Two wheels: `thing`, which has a library and needs `other`, and that one."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    files = {"thing/__init__.py": b"x = 1", LIBRARY: CODE}
    write_wheel(folder, "thing", files, tag=TAG, headers=["Requires-Dist: other"])
    write_wheel(folder, "other", {"other.py": b"y = 1"})
    return str(folder / f"thing-1.0-{TAG}.whl"), str(folder / "other-1.0-py3-none-any.whl")


@pytest.fixture
def empty_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the place of pip, which would need a second to say as much."""

    def choose(lines: Sequence[str], directory: Path) -> dict[str, Candidate]:
        raise NoCandidate(Requirement(lines[0]).name, "none")

    monkeypatch.setattr(index_module, "choose", choose)


def test_files_libraries_and_names_are_there(wheels: tuple[str, str]) -> None:
    preloaded = preload(*wheels)
    files = content(preloaded)
    assert files[f"{SITE_PACKAGES}/thing/__init__.pyc"] == b"compiled x = 1"
    assert files[f"{SITE_PACKAGES}/other.py"] == b"y = 1"
    assert preloaded.imports == ("other", "thing")
    assert preloaded.missing == ()
    (library,) = preloaded.libraries
    assert library.path == f"{SITE_PACKAGES}/{LIBRARY}"
    assert library.content is preloaded.image[library.path]
    assert library.interface.dylink.memory_size == 16
    assert library.late == ("own",)  # the main module has the other one
    assert {export.name for export in library.module.exports} == {"own", "through"}


def test_the_guests_file_of_a_library_holds_no_code(wheels: tuple[str, str]) -> None:
    files = content(preload(*wheels))
    with pytest.raises(wasmtime.WasmtimeError):
        wasmtime.Module(engine(), files[f"{SITE_PACKAGES}/{LIBRARY}"])


def test_the_second_start_is_offline_and_has_the_same_bytes(
    index: Path, wheels: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(index, "other", {"other.py": b"y = 1"})
    first = preload(wheels[0])
    write_wheel(index, "other", {"other.py": b"y = 2"}, version="2.0")
    monkeypatch.setattr("rlm_kernel.registries.sys.executable", "/nowhere/python")
    again = preload(wheels[0])
    assert f"{SITE_PACKAGES}/other.py" in first.image
    assert content(again) == content(first)
    assert (again.imports, again.missing) == (first.imports, first.missing) == (("thing",), ())


def test_a_wheel_of_the_users_own_is_taken_as_it_is_now(tmp_path: Path) -> None:
    for text in (b"z = 1", b"z = 2"):
        write_wheel(tmp_path, "mine", {"mine.py": text})
        preloaded = preload(str(tmp_path / "mine-1.0-py3-none-any.whl"))
        assert content(preloaded)[f"{SITE_PACKAGES}/mine.py"] == text
        assert preloaded.imports == ("mine",)


def test_two_at_once_get_the_same(wheels: tuple[str, str]) -> None:
    engine()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda order: preload(*order), [wheels, wheels[::-1]])
    assert content(first) == content(second)


@pytest.mark.parametrize("code", [b"\0asm", side_module("(module)"), CODE[:-4], NO_BODY])
def test_a_library_that_cannot_be_loaded_is_told(tmp_path: Path, code: bytes) -> None:
    write_wheel(tmp_path, "thing", {LIBRARY: code}, tag=TAG)
    with pytest.raises(BadWheel, match=r"/thing/fast\..*so"):
        preload(str(tmp_path / f"thing-1.0-{TAG}.whl"))


def test_a_library_for_another_platform_stays_a_mere_file(tmp_path: Path) -> None:
    write_wheel(tmp_path, "thing", {"thing/helper.so": b"\x7fELF", "thing/__init__.py": b""})
    preloaded = preload(str(tmp_path / "thing-1.0-py3-none-any.whl"))
    assert content(preloaded)[f"{SITE_PACKAGES}/thing/helper.so"] == b"\x7fELF"
    assert preloaded.libraries == ()


def test_a_damaged_wheel_is_told(tmp_path: Path) -> None:
    write_wheel(tmp_path, "thing", {"thing.py": b"x = 1" * 100})
    wheel = tmp_path / "thing-1.0-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes().replace(b"x = 1x = 1", b"x = 2x = 2", 1))
    with pytest.raises(BadWheel, match=r"thing-1\.0-py3-none-any\.whl is damaged"):
        preload(str(wheel))


def test_the_guests_own_packages_are_not_contradicted(tmp_path: Path) -> None:
    write_wheel(tmp_path, "thing", {}, headers=["Requires-Dist: ipython<2"])
    with pytest.raises(PackageConflict, match="the sandbox has ipython"):
        preload(str(tmp_path / "thing-1.0-py3-none-any.whl"))


class Release:
    """A directory in the place of the Pyodide release, with packages of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._packages: dict[str, dict[str, object]] = {}
        self._monkeypatch = monkeypatch
        folder.mkdir()

    def add(self, name: str, filename: str, depends: list[str], **facts: object) -> None:
        digest = hashlib.sha256((self.folder / filename).read_bytes()).hexdigest()
        self._packages[name] = {
            "name": name,
            "version": "1.0",
            "file_name": filename,
            "sha256": digest,
            "depends": depends,
            "package_type": "package",
            "install_dir": "site",
            **facts,
        }
        text = json.dumps({"packages": self._packages}).encode()
        (self.folder / "pyodide-lock.json").write_bytes(text)
        pinned = PinnedFile("pyodide-lock.json", len(text), hashlib.sha256(text).hexdigest())
        self._monkeypatch.setattr(release, "PACKAGE_LIST", pinned)


@pytest.fixture
def pyodide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    """A release with `numbers`, which needs a shared library."""
    made = Release(tmp_path / "release", monkeypatch)
    write_wheel(made.folder, "numbers", {"numbers_/__init__.py": b""}, tag=TAG)
    with zipfile.ZipFile(made.folder / "libmath-1.0.zip", "w") as archive:
        archive.writestr("libmath.so", CODE)
    kind = {"package_type": "shared_library", "install_dir": "dynlib"}
    made.add("libmath", "libmath-1.0.zip", [], **kind)
    made.add("numbers", f"numbers-1.0-{TAG}.whl", ["libmath"])
    return made


@pytest.fixture
def served(pyodide: Release) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = partial(Quiet, directory=str(pyodide.folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.usefixtures("empty_index")
def test_what_the_index_lacks_comes_from_the_release(served: str) -> None:
    preloaded = preload("numbers", url=served)
    assert f"{SITE_PACKAGES}/numbers_/__init__.py" in preloaded.image
    assert [library.path for library in preloaded.libraries] == ["/usr/lib/libmath.so"]
    assert preloaded.imports == ("numbers_",)


@pytest.mark.usefixtures("empty_index")
def test_the_release_may_be_a_directory(pyodide: Release) -> None:
    assert preload("numbers", url=str(pyodide.folder)).imports == ("numbers_",)


@pytest.mark.usefixtures("empty_index")
def test_what_the_release_has_and_cannot_deliver_is_told(pyodide: Release, tmp_path: Path) -> None:
    write_wheel(tmp_path, "thing", {"thing.py": b""}, headers=["Requires-Dist: numbers"])
    (pyodide.folder / f"numbers-1.0-{TAG}.whl").unlink()
    with pytest.raises(FetchError, match=r"numbers-1.0.*cannot be read: No such file"):
        preload("numbers", url=str(pyodide.folder))
    preloaded = preload(str(tmp_path / "thing-1.0-py3-none-any.whl"), url=str(pyodide.folder))
    assert preloaded.imports == ("thing",)
    assert len(preloaded.missing) == 2
    assert "to have what is missing looked for again" in preloaded.missing[1]
    assert preloaded.missing[0].startswith("numbers 1.0: ")


@pytest.mark.usefixtures("empty_index")
def test_a_package_that_nobody_has_is_told(pyodide: Release) -> None:
    with pytest.raises(PackageNotFound, match="no wheel of nothing runs in the sandbox"):
        preload("nothing", url=str(pyodide.folder))


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a/__init__.py", "b.py", "a-1.0.dist-info/METADATA"], ["a", "b"]),
        (["a/x.so", "c.cpython-314-wasm32-emscripten.so"], ["a", "c"]),
        (["_a.py", "a/__init__.py"], ["a"]),
        (["_a.py"], ["_a"]),
        (["81d2__mypyc.cpython-314-wasm32-emscripten.so", "a.py"], ["a"]),
        (["a.libs/libx.so", "data/table.json"], []),
    ],
)
def test_names_to_import_are_the_top_level_modules(files: list[str], names: list[str]) -> None:
    assert import_names(f"{SITE_PACKAGES}/{file}" for file in files) == names
