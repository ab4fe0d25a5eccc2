"""What somebody who took a session's process over would try. It runs in that process.

Each attempt does it by the C library or by the number of the system call, and says what became of
it: `done`, or the name of the errno.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import resource
import signal
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from struct import Struct
from typing import Any

from rlm_kernel.sandbox.system_calls import NUMBERS, libc

NUMBERS_END = 600
"""Above all numbers of system calls that there are."""

X32 = 0x40000000
"""Bit of the numbers of x86-64's other ABI; source: `asm/unistd.h`."""

MADV_HWPOISON, PR_SET_SECCOMP, PR_SET_DUMPABLE, PTRACE_ATTACH = 100, 22, 4, 16
CLONE_NEWUSER, CLONE_PARENT, CLONE_VFORK = 0x10000000, 0x8000, 0x4000
SO_PEERPIDFD = 77
SIGCHLD = int(signal.SIGCHLD)
IO_URING_SETUP, PIDFD_SEND_SIGNAL, PIDFD_OPEN, PIDFD_GETFD, CLONE3 = 425, 424, 434, 438, 435

NOTHING = (ctypes.c_char_p * 1)()
MORE = Struct("<QQ").pack(4096, 4096)
"""`struct rlimit`."""

Attempt = Callable[[], Any]


def outcomes(content: dict[str, Any]) -> dict[str, Any]:
    """What became of each attempt. `content` names the processes and addresses to try it on."""
    listed = {name: outcome(attempt) for name, attempt in attempts(content).items()}
    return {
        "attempts": listed,
        "numbers": dict(unfiltered_numbers()),
        "descriptors": kept_descriptors(),
    }


def outcome(attempt: Attempt) -> str:
    try:
        result = attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    if type(result) is int and result < 0:
        return errno.errorcode[ctypes.get_errno()]
    return "done"


def attempts(content: dict[str, Any]) -> dict[str, Attempt]:
    owner, sockets = content["owner"], socket_descriptors()
    others = {f"process {pid}": pid for pid in [owner, *content["others"]]}
    each = {
        f"{name} of {who}": attempt
        for who, pid in others.items()
        for name, attempt in against_process(pid).items()
    }
    return {
        **on_files(content["others"]),
        **on_network(sockets),
        **on_privileges(),
        **on_memory(content["mapped_files"]),
        **on_processes(),
        **each,
    }


def on_files(others: list[int]) -> dict[str, Attempt]:
    paths = ["/", "/etc/passwd", "/tmp", ".", "/dev/null", "/proc/self/mem", "/proc/self/maps"]
    paths += [f"/proc/{pid}/{entry}" for pid in others for entry in ("mem", "environ", "fd/0")]
    opened: dict[str, Attempt] = {
        f"open {path}": partial(os.open, path, os.O_RDONLY) for path in paths
    }
    return opened | {
        "open for writing": lambda: os.open("/tmp/sealed", os.O_CREAT | os.O_WRONLY),
        "open of libc": lambda: libc.open(b"/etc/passwd", 0),
        "unnamed file": lambda: os.open("/tmp", os.O_TMPFILE | os.O_RDWR),
        "list": lambda: os.listdir("/"),
        "stat": lambda: os.stat("/etc/passwd"),
        "make a directory": lambda: os.mkdir("/tmp/sealed"),
        "link": lambda: os.symlink("/etc", "/tmp/sealed"),
        "remove": lambda: os.unlink("/tmp/sealed"),
        "change directory": lambda: os.chdir("/"),
        "change root": lambda: os.chroot("/"),
        "mount": lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
        "file in memory": lambda: os.memfd_create("sealed"),
        "execute": lambda: os.execv("/bin/true", ["true"]),
        "execute a descriptor": lambda: libc.fexecve(0, NOTHING, NOTHING),
        "control a device": lambda: fcntl.ioctl(0, 0x5401, b"\0" * 64),
    }


def on_network(sockets: list[socket.socket]) -> dict[str, Attempt]:
    frames = sockets[0]
    families = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
    made: dict[str, Attempt] = {
        f"socket {family.name}": partial(socket.socket, family) for family in families
    }
    return made | {
        "pair of sockets": socket.socketpair,
        "connect": lambda: frames.connect("/run/sealed"),
        "connect without a name": lambda: frames.connect("\0sealed"),
        "bind": lambda: frames.bind("\0sealed"),
        "listen": lambda: frames.listen(1),
        "accept": lambda: libc.accept(frames.fileno(), None, None),
        "send a descriptor": lambda: socket.send_fds(frames, [b"x"], [0]),
        "send urgent data": lambda: frames.send(b"x", socket.MSG_OOB),
        "receive urgent data": lambda: frames.recv(1, socket.MSG_OOB | socket.MSG_DONTWAIT),
        "urgent message": lambda: frames.recvmsg(1, 0, socket.MSG_OOB | socket.MSG_DONTWAIT),
        "handle of the owner": lambda: frames.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD),
        "signals of the lifeline": lambda: fcntl.fcntl(sockets[-1], fcntl.F_SETFL, 0),
        "option of a socket": lambda: frames.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1),
    }


def on_privileges() -> dict[str, Attempt]:
    return {
        "user": lambda: libc.setuid(0),
        "all users": lambda: libc.setresuid(0, 0, 0),
        "group": lambda: libc.setgid(0),
        "capabilities": lambda: libc.capset(b"\0" * 8, b"\xff" * 24),
        "namespace": lambda: libc.unshare(CLONE_NEWUSER),
        "join a namespace": lambda: libc.setns(0, 0),
        "privileges": lambda: libc.prctl(38, 0, 0, 0, 0),
        "dumps": lambda: libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0),
        "another filter": lambda: libc.prctl(PR_SET_SECCOMP, 2, b"\0" * 16, 0, 0),
        "more open files": lambda: libc.setrlimit(resource.RLIMIT_NOFILE, MORE),
        "more core dump": lambda: libc.prlimit(0, resource.RLIMIT_CORE, MORE, None),
        "priority": lambda: os.nice(-1),
        "io_uring": lambda: libc.syscall(IO_URING_SETUP, 1, b"\0" * 120),
        "reboot": lambda: libc.reboot(0),
        "clock": lambda: libc.settimeofday(b"\0" * 16, None),
        "host name": lambda: os.uname(),
        "personality": lambda: libc.personality(0x0400000),
    }


def on_memory(mapped_files: list[int]) -> dict[str, Attempt]:
    page = mmap.mmap(-1, mmap.PAGESIZE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    writable = {
        f"write to the file at {number}": partial(
            libc.mprotect,
            ctypes.c_void_p(start),
            ctypes.c_size_t(mmap.PAGESIZE),
            mmap.PROT_WRITE,
        )
        for number, start in enumerate(mapped_files)
    }
    executable = mmap.PROT_READ | mmap.PROT_EXEC
    return writable | {
        "map code": lambda: mmap.mmap(-1, mmap.PAGESIZE, prot=executable),
        "make code": lambda: libc.mprotect(
            ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE), executable
        ),
        "poison memory": lambda: libc.madvise(
            ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE), MADV_HWPOISON
        ),
        "shared memory": lambda: libc.shmget(1, 4096, 0o1600),
        "message queue": lambda: libc.msgget(1, 0o1600),
        "NEEDED map memory": lambda: mmap.mmap(-1, mmap.PAGESIZE).close(),
    }


def on_processes() -> dict[str, Attempt]:
    clone = NUMBERS["clone"]
    return {
        "copy in a namespace": lambda: libc.syscall(clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0),
        "sibling": lambda: libc.syscall(clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0),
        "vfork": lambda: libc.syscall(clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0),
        "clone3": lambda: libc.syscall(CLONE3, b"\0" * 88, 88),
        "leave the process's session": lambda: libc.setsid(),
        "leave the process's group": lambda: libc.setpgid(0, 0),
        "signal to everyone": lambda: os.kill(-1, 0),
        "signal to itself": lambda: signal.raise_signal(signal.SIGCHLD),
        "NEEDED copy": copy,
        "NEEDED thread": thread,
        "NEEDED randomness": lambda: os.urandom(8),
        "NEEDED sleep": lambda: time.sleep(0),
    }


def against_process(pid: int) -> dict[str, Attempt]:
    buffer = ctypes.create_string_buffer(16)
    return {
        "signal": lambda: os.kill(pid, 0),
        "signal to the group": lambda: os.kill(-pid, 0),
        "signal to a thread": lambda: libc.syscall(TGKILL, pid, pid, 0),
        "ptrace": lambda: libc.ptrace(PTRACE_ATTACH, pid, None, None),
        "read memory": lambda: libc.process_vm_readv(pid, buffer, 1, buffer, 1, 0),
        "write memory": lambda: libc.process_vm_writev(pid, buffer, 1, buffer, 1, 0),
        "limits": lambda: libc.prlimit(pid, resource.RLIMIT_CPU, None, MORE),
        "handle": lambda: libc.syscall(PIDFD_OPEN, pid, 0),
        "signal by handle": lambda: libc.syscall(PIDFD_SEND_SIGNAL, pid, 0, None, 0),
        "descriptor": lambda: libc.syscall(PIDFD_GETFD, 0, 0, 0),
        "signals of a descriptor": lambda: fcntl.fcntl(0, fcntl.F_SETOWN, pid),
        "affinity": lambda: os.sched_setaffinity(pid, {0}),
        "priority": lambda: os.setpriority(os.PRIO_PROCESS, pid, 19),
    }


X86_64 = "poll" in NUMBERS
UPROBES = (335, 336) if X86_64 else ()
"""Linux's own, which no filter sees; which refuse whoever is no probe of the machine's owner.
Source: `secure_computing` of Linux's `kernel/seccomp.c`."""

TGKILL = 234 if X86_64 else 131
MODE_OFFSET, STAT_BYTES = 24 if X86_64 else 16, 256
"""`st_mode` in `struct stat`; `st_ino` is at 8 on both machines."""


def copy() -> None:
    if os.fork() == 0:
        os._exit(0)


def thread() -> None:
    worker = threading.Thread(target=lambda: None)
    worker.start()
    worker.join()


def unfiltered_numbers() -> Iterator[tuple[str, str]]:
    """The numbers that are not on the list and yet do not fail with EPERM; all should."""
    for number in [*range(NUMBERS_END), *range(X32, X32 + NUMBERS_END)]:
        if number not in (*NUMBERS.values(), *UPROBES):
            result = outcome(partial(libc.syscall, number, 0, 0, 0, 0, 0, 0))
            if result != "EPERM":
                yield str(number), result


def socket_descriptors() -> list[socket.socket]:
    """Sockets on duplicates of the process's own, the line of frames first."""
    kinds = {fd: kind for fd, kind in kept_descriptors().items() if kind.startswith("socket")}
    found = [socket.socket(fileno=os.dup(int(fd))) for fd in kinds]
    return sorted(found, key=lambda each: each.type != socket.SOCK_STREAM)


def kept_descriptors() -> dict[str, str]:
    """Each open descriptor's kind, with the number that tells one socket or pipe from others."""
    kinds = {stat.S_IFCHR: "device", stat.S_IFSOCK: "socket", stat.S_IFIFO: "pipe", 0: "event"}
    kept = {}
    for descriptor in range(64):
        status = ctypes.create_string_buffer(STAT_BYTES)
        if libc.syscall(NUMBERS["fstat"], descriptor, status) == 0:
            number = int.from_bytes(status.raw[8:16], "little")
            mode = int.from_bytes(status.raw[MODE_OFFSET : MODE_OFFSET + 4], "little")
            kept[str(descriptor)] = f"{kinds[stat.S_IFMT(mode)]} {number}"
    return kept
