"""Files in and out of a session, served by its process without the guest taking part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.filesystem import FileSystem
from rlm_kernel.emscripten.nodes import expect_file
from rlm_kernel.guest.frames import FRAME_MAX, Frame
from rlm_kernel.sandbox.uploads import Uploads

READ_MAX = FRAME_MAX // 8
"""Bytes of a file that one answer holds at most, whatever was asked for."""


class FileService:
    """Answers `put_file`, `drop_file` and `get_file` frames; relative paths start at `home`.

    A file is put in pieces, in order, of which the last one has it appear, whole.

    A request that makes no sense is answered as one that fails, by the name of an error number.
    """

    def __init__(self, filesystem: FileSystem, home: str) -> None:
        self._files = filesystem
        self._home = home
        self._uploads = Uploads(filesystem)
        self._answers: dict[str, Callable[[Frame], tuple[dict[str, Any], bytes]]] = {
            "put_file": self._put,
            "drop_file": self._drop,
            "get_file": self._get,
        }

    def __call__(self, frame: Frame) -> Frame | None:
        """The answer to a frame of this service, nothing for any other frame."""
        answer = self._answers.get(frame.kind)
        if answer is None:
            return None
        try:
            content, data = answer(frame)
        except Exception as error:  # one file's trouble must not end the session
            content, data = {"error": _errno(error).name}, b""
        return Frame("file_reply", frame.request_id, content, (data,))

    def _absolute(self, frame: Frame) -> str:
        path = frame.content["path"]
        if not isinstance(path, str) or "\0" in path:
            raise ValueError("no path")
        path.encode("utf-8", "surrogateescape")  # before parents of such a name are made
        return path if path.startswith("/") else f"{self._home}/{path}"

    def _put(self, frame: Frame) -> tuple[dict[str, Any], bytes]:
        path, data, upload = self._absolute(frame), frame.buffers[0], str(frame.content["upload"])
        offset, is_last = _count(frame.content["offset"]), bool(frame.content["last"])
        self._uploads.expect_place(path)
        size = self._uploads.add(upload, offset, data)
        if is_last:
            self._uploads.finish(upload, path)
        return {"size": size}, b""

    def _drop(self, frame: Frame) -> tuple[dict[str, Any], bytes]:
        self._uploads.drop(str(frame.content["upload"]))
        return {"size": 0}, b""

    def _get(self, frame: Frame) -> tuple[dict[str, Any], bytes]:
        file = expect_file(self._files.resolve(self._absolute(frame)))
        offset, length = (_count(frame.content[name]) for name in ("offset", "length"))
        return {"size": file.size}, bytes(file.read_at(offset, min(length, READ_MAX)))


def _count(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError("no count of bytes")
    return value


def _errno(error: Exception) -> Errno:
    if isinstance(error, SyscallError):
        return error.errno
    if isinstance(error, (LookupError, ValueError, TypeError)):  # the request itself is wrong
        return Errno.EINVAL
    return Errno.EIO
