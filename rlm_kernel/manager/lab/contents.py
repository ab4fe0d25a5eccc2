"""The files that visitors of JupyterLab see and save."""

from __future__ import annotations

from pathlib import Path

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError


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
            raise HTTPError(404, f"{path} is outside of the folder")
        return found
