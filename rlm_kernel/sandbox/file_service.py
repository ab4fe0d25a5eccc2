"""Files in and out of a session, served by its process without the guest taking part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.filesystem import PATH_MAX, FileSystem
from rlm_kernel.emscripten.nodes import (
    Directory,
    Node,
    RegularFile,
    Symlink,
    expect_directory,
    expect_file,
)
from rlm_kernel.guest.frames import FRAME_MAX, Frame
from rlm_kernel.sandbox.uploads import Uploads

READ_MAX = FRAME_MAX // 8
"""Bytes of a file that one answer holds at most, whatever was asked for."""

LIST_MAX = 1000
"""Entries of a folder that one answer holds at most."""

TIME_MAX = 1 << 63


class FileService:
    """Answers frames about files and folders; relative paths start at `home`.

    A file is put in pieces, in order, of which the last one has it appear, whole. A folder is
    listed in pages, which name the cookie to go on after, 0 at the end.

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
            "list_files": self._list,
            "remove_file": self._remove,
            "make_folder": self._make_folder,
            "make_link": self._make_link,
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

    def drop_uploads(self) -> None:
        """Forgets the files that are on their way."""
        self._uploads.drop_all()

    def _absolute(self, frame: Frame) -> str:
        path = _text(frame.content["path"])
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
        data = bytes(file.read_at(offset, min(length, READ_MAX)))
        return {"size": file.size, "version": _version(file), "modified": _time(file)}, data

    def _list(self, frame: Frame) -> tuple[dict[str, Any], bytes]:
        folder = expect_directory(self._files.resolve(self._absolute(frame)))
        after, count = (_count(frame.content[name]) for name in ("after", "count"))
        count = min(count, LIST_MAX)
        found = folder.listed_after(max(after, Directory.PARENT_COOKIE), count)
        entries = [_entry(name, node) for _, name, node in found]
        return {"entries": entries, "next": found[-1][0] if len(found) == count else 0}, b""

    def _remove(self, frame: Frame) -> tuple[dict[str, Any], bytes]:
        path = self._absolute(frame)
        self._expect_no_home(self._files.resolve(path, follow=False))
        self._files.remove_tree(path)
        return {}, b""

    def _make_folder(self, frame: Frame) -> tuple[dict[str, Any], bytes]:
        self._files.make_directories(self._absolute(frame))
        return {}, b""

    def _make_link(self, frame: Frame) -> tuple[dict[str, Any], bytes]:
        path, target = self._absolute(frame), _text(frame.content["target"])
        self._files.make_directories(path.rpartition("/")[0])
        parent, name = self._files.locate(path)
        if isinstance(parent.entries.get(name), (Symlink, RegularFile)):
            self._files.detach(parent, name)
        self._files.make_symlink(path, None, target)
        return {}, b""

    def _expect_no_home(self, node: Node) -> None:
        """EBUSY for the folder that relative paths start at, and those that it is in."""
        folder = self._files.resolve(self._home) if self._files.exists(self._home) else None
        while isinstance(folder, Directory) and folder.parent is not folder:
            if folder is node:
                raise SyscallError(Errno.EBUSY)
            folder = folder.parent


def _text(value: object) -> str:
    """A path, before anything is made by it."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("no path")
    if len(value.encode("utf-8", "surrogateescape")) >= PATH_MAX:
        raise SyscallError(Errno.ENAMETOOLONG)
    return value


def _version(file: RegularFile) -> str:
    """Another one after each change, which no code can hide; unlike the time of modification."""
    return f"{file.number:x}-{file.changed:x}-{file.size:x}"


def _time(node: Node) -> int:
    return min(max(node.modified, 0), TIME_MAX)


def _entry(name: str, node: Node) -> list[str | int]:
    target = node.target if isinstance(node, Symlink) else ""
    return [name, _kind(node), node.size, node.permissions, _time(node), target]


def _kind(node: Node) -> str:
    for kind, name in ((RegularFile, "file"), (Directory, "directory"), (Symlink, "link")):
        if isinstance(node, kind):
            return name
    return "other"


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
