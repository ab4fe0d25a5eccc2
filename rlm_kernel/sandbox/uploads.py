"""Files on their way into a session: they have no name before they are whole."""

from __future__ import annotations

from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.filesystem import FileSystem
from rlm_kernel.emscripten.nodes import RegularFile, expect_file


class Uploads:
    """Gathers files in pieces, each under an id of the sender's. Errors are `SyscallError`.

    What has arrived counts against the quota. A piece that cannot be taken ends its upload.
    """

    def __init__(self, filesystem: FileSystem) -> None:
        self._files = filesystem
        self._pending: dict[str, RegularFile] = {}

    def add(self, upload: str, offset: int, data: bytes) -> int:
        """Takes the piece at this offset, and says how long the file is then.

        ESTALE where what came before it is not there, say because the session went back to before.
        """
        file = self._pending.pop(upload, None) or RegularFile(self._files.quota)
        if file.size != offset:
            raise SyscallError(Errno.ESTALE)
        file.write_at(offset, data)
        self._pending[upload] = file
        return file.size

    def finish(self, upload: str, path: str) -> None:
        """Puts a file at an absolute path, its folders made, in place of one that was there."""
        file = self._pending.pop(upload)
        folder, _, _ = path.rpartition("/")
        self._files.make_directories(folder)
        self._files.place_file(path, file)

    def expect_place(self, path: str) -> None:
        """Fails where `finish` would as things are: at a directory, say."""
        if self._files.exists(path):
            expect_file(self._files.resolve(path))

    def drop(self, upload: str) -> None:
        self._pending.pop(upload, None)

    def drop_all(self) -> None:
        self._pending.clear()
