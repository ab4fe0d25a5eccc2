"""Waiting for files to become ready."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from rlm_kernel.emscripten.descriptors import Descriptors
from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.imports import syscall
from rlm_kernel.emscripten.memory import GuestMemory
from rlm_kernel.emscripten.nodes import Device, Fifo

POLLIN, POLLOUT, POLLNVAL = 0x1, 0x4, 0x20
POLLRDNORM, POLLWRNORM = 0x40, 0x100
"""Source: musl's `include/poll.h`."""

_READABLE = POLLIN | POLLRDNORM
_WRITABLE = POLLOUT | POLLWRNORM

POLLFDS_MAX = 1024

_POLLFD = Struct("<ihh")


class PollCalls:
    """`sleep(seconds)` waits for nothing but time, for ever when given None; it raises
    `SyscallError(EINTR)` when the wait is interrupted. `set_errno` writes the C variable.
    """

    def __init__(
        self,
        memory: GuestMemory,
        descriptors: Descriptors,
        sleep: Callable[[float | None], None],
        set_errno: Callable[[Errno], None],
    ) -> None:
        self._memory = memory
        self._fds = descriptors
        self._sleep = sleep
        self._set_errno = set_errno

    @syscall("poll", "IIi")
    def poll(self, address: int, count: int, timeout_ms: int) -> int:
        """Readiness of files. Only devices are ever waited for, and only the first of them."""
        try:
            return self._poll(address, count, timeout_ms)
        except SyscallError as error:
            # Emscripten's select(2) passes the failure of this call on, but does not set errno.
            self._set_errno(error.errno)
            raise

    def _poll(self, address: int, count: int, timeout_ms: int) -> int:
        if count > POLLFDS_MAX:
            raise SyscallError(Errno.EINVAL)
        entries = self._memory.slice(address, count * _POLLFD.size)
        polled = [(fd, events) for fd, events, _ in _POLLFD.iter_unpack(entries)]
        found = [self._readiness(fd, events) for fd, events in polled]
        if not any(found) and timeout_ms != 0:
            self._wait(polled, None if timeout_ms < 0 else timeout_ms / 1000)
            found = [self._readiness(fd, events) for fd, events in polled]
        for position, ((fd, events), ready) in enumerate(zip(polled, found, strict=True)):
            _POLLFD.pack_into(entries, position * _POLLFD.size, fd, events, ready)
        return sum(ready != 0 for ready in found)

    def _readiness(self, fd: int, events: int) -> int:
        if fd < 0:
            return 0
        try:
            node = self._fds[fd].node
        except SyscallError:
            return POLLNVAL
        waits = isinstance(node, Device) and events & _READABLE and not node.driver.poll(0)
        return events & (_WRITABLE if waits else _WRITABLE | _READABLE)

    def _wait(self, polled: list[tuple[int, int]], timeout: float | None) -> None:
        for fd, events in polled:
            node = self._fds[fd].node if fd >= 0 and events & _READABLE else None
            if isinstance(node, Device) and not isinstance(node, Fifo):
                node.driver.poll(timeout)
                return
        self._sleep(timeout)
