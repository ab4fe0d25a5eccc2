"""Linux system calls by number, and the few that are called here without a wrapper of libc's."""

from __future__ import annotations

import ctypes
import os
import platform
from typing import Any

MACHINE = platform.machine()

_X86_64 = {
    "brk": 12, "clock_getres": 229, "clock_gettime": 228, "clock_nanosleep": 230, "clone": 56,
    "clone3": 435, "close": 3, "dup": 32, "eventfd2": 290, "exit": 60, "exit_group": 231,
    "fcntl": 72, "fstat": 5, "futex": 202, "getitimer": 36, "getpid": 39, "getppid": 110,
    "getrandom": 318, "getrusage": 98, "getsockname": 51, "getsockopt": 55, "gettid": 186,
    "lseek": 8, "madvise": 28, "membarrier": 324, "mmap": 9, "mprotect": 10, "mremap": 25,
    "munmap": 11, "nanosleep": 35, "pipe2": 293, "poll": 7, "ppoll": 271, "prctl": 157,
    "read": 0, "readv": 19, "recvfrom": 45, "recvmsg": 47, "restart_syscall": 219, "rseq": 334,
    "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "sched_getaffinity": 204,
    "sched_yield": 24, "sendto": 44, "set_robust_list": 273, "setitimer": 38,
    "sigaltstack": 131, "times": 100, "write": 1, "writev": 20,
    "dup3": 292,
}  # fmt: skip
_AARCH64 = {
    "brk": 214, "clock_getres": 114, "clock_gettime": 113, "clock_nanosleep": 115, "clone": 220,
    "clone3": 435, "close": 57, "dup": 23, "dup3": 24, "eventfd2": 19, "exit": 93, "exit_group": 94,
    "fcntl": 25, "fstat": 80, "futex": 98, "getitimer": 102, "getpid": 172, "getppid": 173,
    "getrandom": 278, "getrusage": 165, "getsockname": 204, "getsockopt": 209, "gettid": 178,
    "lseek": 62, "madvise": 233, "membarrier": 283, "mmap": 222, "mprotect": 226, "mremap": 216,
    "munmap": 215, "nanosleep": 101, "pipe2": 59, "ppoll": 73, "prctl": 167,
    "read": 63, "readv": 65, "recvfrom": 207, "recvmsg": 212, "restart_syscall": 128, "rseq": 293,
    "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139, "sched_getaffinity": 123,
    "sched_yield": 124, "sendto": 206, "set_robust_list": 99, "setitimer": 103,
    "sigaltstack": 132, "times": 153, "write": 64, "writev": 66,
}  # fmt: skip
NUMBERS: dict[str, int] = {"x86_64": _X86_64, "aarch64": _AARCH64}.get(MACHINE, {})
"""Of this machine's; source: Linux's `syscall_64.tbl` and `asm-generic/unistd.h`."""

libc = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, argument: int = 0, pointer: Any = 0) -> None:
    """prctl(2). Raises OSError."""
    checked(libc.prctl(option, ctypes.c_ulong(argument), pointer, 0, 0))


def system_call(number: int, *arguments: Any) -> int:
    """syscall(2): integers and pointers in, the result out. Raises OSError."""
    words = [a if not isinstance(a, int) else ctypes.c_long(a) for a in arguments]
    return checked(libc.syscall(ctypes.c_long(number), *words))


def checked(result: int) -> int:
    """The result of a function of libc. Raises OSError where that is a failure."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
