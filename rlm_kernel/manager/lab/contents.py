"""The files that visitors of JupyterLab see and save."""

from __future__ import annotations

import errno
from pathlib import Path

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError


class Elsewhere(HTTPError, PermissionError):
    """A link out of the folder: answered as what is not there, and left out of listings.

    Listings leave out what raises this errno, and fail with any other error.
    """

    def __init__(self, path: str) -> None:
        super().__init__(404, "%s is not here", path)
        self.errno = errno.EACCES


class LabFiles(AsyncLargeFileManager):
    """The files of one folder, and nothing that a link leads to elsewhere.

    What visitors delete is deleted; hidden files are not theirs.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(root_dir=str(folder), delete_to_trash=False)
        self._folder = folder.resolve()

    def _get_os_path(self, path: str) -> str:
        found = str(super()._get_os_path(path))  # type: ignore[no-untyped-call]
        if not Path(found).resolve().is_relative_to(self._folder):
            raise Elsewhere(path)
        return found
