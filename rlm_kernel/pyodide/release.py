"""The pinned Pyodide release: which bytes, and where to get them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rlm_kernel.cache import private_directory
from rlm_kernel.download import PinnedFile, Source, obtain
from rlm_kernel.progress import SILENT, Progress
from rlm_kernel.pyodide.sources import NpmSource, WheelSource, source_at

VERSION = "314.0.7"
CDN_URL = f"https://cdn.jsdelivr.net/pyodide/v{VERSION}/full/"

WASM = PinnedFile(
    "pyodide.asm.wasm",
    9_598_218,
    "cc36e3cab04fdfc9a63ff13eb52eae2b911bf46c025cc7b281f394bd3de1d5e6",
)
STDLIB = PinnedFile(
    "python_stdlib.zip",
    2_545_637,
    "fa1957e5777068fc4f7437f96d860ae2fbe9c19732ba06c84e004ec16dd7dd7a",
)

PACKAGE_LIST = PinnedFile(
    "pyodide-lock.json",
    119_077,
    "5dc2fc119108bc148c7457dc86e7675b5c87e1cafd420b9c34c1eaef7b36c010",
)
"""Names and pins the packages that come with the release."""


@dataclass(frozen=True, slots=True)
class Release:
    """The verified files of the release in the cache."""

    wasm: Path
    stdlib: Path


def ensure_release(progress: Progress = SILENT, *, url: str | None = None) -> Release:
    """The release, fetched if the cache does not hold its exact bytes.

    `url`, a directory or base URL, is asked first. Then come the Pyodide CDN, npm and PyPI.
    Raises FetchError that tells what failed at each.
    """
    directory = private_directory(f"pyodide-{VERSION}")
    wasm, stdlib = obtain((WASM, STDLIB), directory, _sources(url), progress)
    return Release(wasm, stdlib)


def ensure_package_list(progress: Progress = SILENT, *, url: str | None = None) -> Path:
    """The release's list of packages, fetched as `ensure_release` does. Raises FetchError."""
    directory = private_directory(f"pyodide-{VERSION}")
    return obtain((PACKAGE_LIST,), directory, _sources(url), progress)[0]


def _sources(url: str | None) -> Iterator[Source]:
    if url:
        yield source_at(url)
    yield source_at(CDN_URL)
    yield NpmSource(f"pyodide@{VERSION}")
    yield WheelSource("flet-web==1.1.0.dev1", "flet_web/web/pyodide")
