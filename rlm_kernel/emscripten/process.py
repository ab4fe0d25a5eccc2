"""What a program asks of its process: to end it, its name, its signals."""

from __future__ import annotations

from collections.abc import Callable

from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.imports import WASI, GuestExit, imported, syscall
from rlm_kernel.emscripten.memory import GuestMemory

MESSAGE_MAX = 1000
ABORTED = 134
"""128 + SIGABRT, as shells report it."""


class ProcessCalls:
    """Ends of the process, its signals to itself, and answers that are always the same.

    `handle_signal(handler, number)` calls a handler by its number in the guest's function table.
    """

    def __init__(
        self,
        memory: GuestMemory,
        program_name: str,
        handle_signal: Callable[[int, int], None],
    ) -> None:
        self._memory = memory
        self._name = program_name.encode()
        self._handle_signal = handle_signal

    @imported("exit", "i")
    @imported("proc_exit", "i", module=WASI)
    def exit(self, status: int) -> None:
        raise GuestExit(status)

    @imported("_abort_js")
    def abort(self) -> None:
        raise GuestExit(ABORTED, "abort")

    @imported("__assert_fail", "IIiI")
    def assert_fail(self, condition: int, file: int, line: int, function: int) -> None:
        raise GuestExit(ABORTED, f"assertion failed: {self._message(condition)}")

    def _message(self, address: int) -> str:
        # Whatever stands there: the guest does not survive that this call returns.
        try:
            return self._memory.read_cstring(address, MESSAGE_MAX).decode(errors="replace")
        except SyscallError as error:
            return f"({error})"

    @imported("__call_sighandler", "Ii")
    def call_signal_handler(self, handler: int, number: int) -> None:
        """Runs a handler of raise(3) or kill(2); a number that is no function is passed over."""
        self._handle_signal(handler, number)

    @imported("_emscripten_system", "I", "i", lambda errno: -errno)
    def system(self, command: int) -> int:
        """system(3): a null command asks whether there is a shell."""
        if command:
            raise SyscallError(Errno.ENOSYS)
        return 0

    @imported("_emscripten_get_progname", "II")
    def progname(self, buffer: int, size: int) -> None:
        self._memory.write(buffer, (self._name + b"\0")[:size])

    @syscall("getuid32_js", "")
    def getuid(self) -> int:
        return 0
