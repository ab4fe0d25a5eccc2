"""Error numbers of Emscripten's C library, which are WASI's.

Source: musl's `arch/emscripten/bits/errno.h`; the numbers are those of `__wasi_errno_t`.
"""

from __future__ import annotations

from enum import IntEnum


class Errno(IntEnum):
    E2BIG = 1
    EACCES = 2
    EAGAIN = 6
    EBADF = 8
    EBUSY = 10
    EDEADLK = 16
    EEXIST = 20
    EFAULT = 21
    EFBIG = 22
    EINTR = 27
    EINVAL = 28
    EIO = 29
    EISDIR = 31
    ELOOP = 32
    EMFILE = 33
    EMLINK = 34
    ENAMETOOLONG = 37
    ENODEV = 43
    ENOENT = 44
    ENOMEM = 48
    ENOSPC = 51
    ENOSYS = 52
    ENOTDIR = 54
    ENOTEMPTY = 55
    ENOTTY = 59
    ENXIO = 60
    EOVERFLOW = 61
    EPERM = 63
    EPIPE = 64
    ERANGE = 68
    ESPIPE = 70
    ESTALE = 72
    EXDEV = 75
    EOPNOTSUPP = 138


class SyscallError(Exception):
    """A call that fails for the guest; never leaves the host's import wrapper."""

    def __init__(self, errno: Errno) -> None:
        super().__init__(errno.name)
        self.errno = errno
