"""The program of a zygote: boots the guest once, then forks a session whenever it is asked to.

Run as `python -m rlm_kernel.sandbox.zygote_process CONTROL LIMITS [PYODIDE_URL]
[--preload PACKAGE]... [--require-seal] [--unshared]`, where CONTROL is the descriptor of a
SOCK_SEQPACKET socket and LIMITS are those of its sessions as JSON. It completes the installation,
starts itself anew with a large stack and hardly any environment, and boots the guest.
When the guest is warm it sends `{"ready": true, "unsealed": [...], "preloading": [...]}` with the
layers of the seal that this kernel lacks, and what went wrong with preloaded packages. Each packet
that comes then carries the sockets of a new session (see `line_sockets`) and is answered by
`{"pid": PID}`. What goes wrong is answered by `{"failed": MESSAGE, "code": CODE}`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import signal
import socket
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import wasmtime

from rlm_kernel.cache import cache_dir
from rlm_kernel.emscripten.calling import last_line
from rlm_kernel.emscripten.imports import GuestExit
from rlm_kernel.errors import ConfigurationError, RLMKernelError, ZygoteError
from rlm_kernel.guest.frames import Frame
from rlm_kernel.progress import progress_for
from rlm_kernel.pyodide.immortality import make_immortal
from rlm_kernel.pyodide.installation import ensure_installation
from rlm_kernel.pyodide.interpreter import HOME, Interpreter
from rlm_kernel.pyodide.signals import SIGINT, SIGPROF
from rlm_kernel.sandbox.file_service import FileService
from rlm_kernel.sandbox.limits import Limits
from rlm_kernel.sandbox.line_sockets import CONTROL_BYTES, LINE_SOCKETS, taken_over
from rlm_kernel.sandbox.listener import AWAKE, COPIED, Listener
from rlm_kernel.sandbox.owner_line import OwnerLine
from rlm_kernel.sandbox.preloading import preload_problems
from rlm_kernel.sandbox.seal import missing_layers, seal
from rlm_kernel.sandbox.sharing import prepare_for_forks
from rlm_kernel.sandbox.system_calls import prctl

STACK_BYTES = 1 << 30
"""Native stack of the thread that runs the guest. The engine's limit (`WASM_STACK_BYTES`) must be
reached well before its end; pages that are never touched cost nothing."""

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
"""Source: Linux's `include/uapi/linux/prctl.h`."""


class ZygoteProcess:
    """Holds the warm guest. Forking happens inside of the guest's first wait for input."""

    def __init__(
        self,
        control: socket.socket,
        limits: Limits,
        *,
        preload: Sequence[str] = (),
        require_seal: bool,
        shared: bool = True,
    ) -> None:
        self._control = control
        self._limits = limits
        self._require_seal = require_seal
        self._shared = shared
        installed = ensure_installation(preload=preload)
        self._preloaded = installed.preloaded
        self._line = OwnerLine(self._serve_forks, self._serve)
        self._interpreter = Interpreter(
            installed.engine,
            installed.module,
            image=installed.image,
            memory_limit=limits.memory_bytes,
            devices={"owner": self._line},
            sleep=self._line.sleep,
            open_files=limits.open_files,
            libraries=self._preloaded.libraries,
        )
        program = self._interpreter.program
        self._line.make_immortal = partial(make_immortal, program.memory)
        self._files = FileService(program.filesystem, HOME)

    def run(self) -> NoReturn:
        """Runs the guest's program: in the zygote until it is told to end, and in each session."""
        status, reason = 0, "its program ended"
        try:
            numbers = f"{self._limits.output_bytes}, {self._limits.display_bytes}"
            self._interpreter.run(
                "from rlm_kernel.guest.session import main\n"
                f"main({numbers}, {list(self._preloaded.imports)!r}, shared={self._shared})"
            )
        except GuestExit as exit_:
            status, reason = exit_.status, str(exit_)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as trap:
            status, reason = 1, last_line(trap)
        self._line.send(Frame("exited", "", {"status": status, "reason": reason}))
        os._exit(status & 0xFF)

    def _serve(self, frame: Frame) -> bool:
        """Does what is not for the guest to do, and says whether this was it."""
        if frame.kind == "copy":
            self._copy()
            return True
        if frame.kind == "drop_uploads":
            self._files.drop_uploads()
            return True
        answer = self._files(frame)
        if answer is not None:
            self._line.send(answer)
        return answer is not None

    def _serve_forks(self) -> None:
        """Forks for every packet; returns in each child, never in the zygote."""
        unsealed = self._check()
        filesystem = self._interpreter.program.filesystem
        preloading = preload_problems(self._preloaded, filesystem)
        filesystem.quota.allow(self._limits.file_bytes, self._limits.file_count)
        filesystem.path_max = self._limits.path_bytes
        prepare_for_forks()
        _send(self._control, {"ready": True, "unsealed": unsealed, "preloading": preloading})
        while True:
            message, descriptors, _, _ = socket.recv_fds(self._control, CONTROL_BYTES, LINE_SOCKETS)
            if not message:
                os._exit(0)
            try:
                pid = _fork(descriptors)
            except OSError as error:
                _send(self._control, _failure(ZygoteError(f"it cannot fork: {error}")))
                continue
            if pid == 0:
                self._begin_session(descriptors, unsealed)
                return
            _send(self._control, {"pid": pid})

    def _check(self) -> tuple[str, ...]:
        """The missing layers of the seal. Ends the process where it must not have sessions."""
        try:
            return _check_for_forks(self._require_seal)
        except (ZygoteError, OSError) as error:
            _send(self._control, _failure(error))
            os._exit(1)

    def _begin_session(self, descriptors: list[int], unsealed: tuple[str, ...]) -> None:
        try:
            os.setsid()
            sockets = taken_over(descriptors)
            self._lifeline = sockets.lifeline
            self._listener = Listener(sockets.control, self._interrupt, self._expire)
            if seal(keep=(*descriptors, *self._listener.descriptors)) != unsealed:
                os._exit(1)
            self._line.connect(sockets.frames)
            self._line.signal_in = self._listener.set_timer
            self._listener.start()
        except BaseException:
            os._exit(1)  # or what is not sealed would go on with the guest's code

    def _copy(self) -> None:
        """Forks this session, with all that the guest is and has, while the guest waits.

        The copy shows itself to its owner, stays frozen until the owner sends something, and says
        that it is awake.
        Where there can be none, its sockets end.
        """
        descriptors = self._listener.take_copy_sockets()
        clock = self._interpreter.program.cpu_clock
        cpu_time = clock.read()
        try:
            if _fork(descriptors):
                return
        except OSError:
            return
        try:
            clock.go_on_from(cpu_time)
            sockets = taken_over(descriptors)
            self._lifeline.close()
            self._lifeline = sockets.lifeline
            self._line.connect(sockets.frames)
            sockets.control.send(COPIED)
            self._listener.start_in_copy(sockets.control)
            self._line.await_owner()
        except BaseException:
            os._exit(1)  # nobody waits for it, or it would be the original once more
        with contextlib.suppress(OSError):  # the owner is gone, as the line will find
            sockets.control.send(AWAKE)

    def _interrupt(self, request_id: str) -> None:
        # The signal reaches code that runs; the frame reaches a request that has yet to start.
        self._line.deliver(Frame("interrupt", request_id, {}))
        self._signal(SIGINT)

    def _expire(self) -> None:
        self._signal(SIGPROF)

    def _signal(self, number: int) -> None:
        self._interpreter.signals.send(number)
        self._line.end_wait()


def _fork(descriptors: list[int]) -> int:
    """Forks, and leaves the descriptors to the child alone. Raises OSError."""
    pid = -1
    try:
        pid = os.fork()
    finally:
        if pid != 0:
            for descriptor in descriptors:
                os.close(descriptor)
    return pid


def _check_for_forks(require_seal: bool) -> tuple[str, ...]:
    """The layers of the seal that this kernel lacks. Raises ZygoteError, or OSError."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        # What the others hold, memory's locks among them, would stay held in each session.
        raise ZygoteError(f"it has {threads} threads and cannot be forked")
    unsealed = missing_layers()
    if unsealed and require_seal:
        raise ZygoteError(f"these layers are missing of the seal: {', '.join(unsealed)}")
    return unsealed


def _failure(error: Exception) -> dict[str, Any]:
    code = error.code if isinstance(error, RLMKernelError) else ZygoteError.code
    return {"failed": str(error), "code": code}


def _send(control: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):
        control.send(json.dumps(message).encode())


def _prepare(pyodide_url: str | None, preload: Sequence[str]) -> NoReturn:
    """Completes the installation, with the environment that fetching may need, and starts anew.

    The limit of the stack counts from the start of a process, and what fetching and compiling left
    in memory would be in every session.
    """
    ensure_installation(progress_for(), url=pyodide_url, preload=preload)
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if hard != resource.RLIM_INFINITY and hard < STACK_BYTES:
        raise ConfigurationError(f"the hard limit of the stack must be {STACK_BYTES >> 10} KiB")
    resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, hard))
    arguments = [sys.executable, *sys.orig_argv[1:], "--prepared"]
    os.execve(sys.executable, arguments, environment())


def environment() -> dict[str, str]:
    """What a zygote, and with it its sessions, keep of the environment: where to find code."""
    kept = {
        "RLM_KERNEL_CACHE": str(cache_dir()),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", ""),
        "LD_BIND_NOW": "1",  # or each session would find the libraries' functions for itself
    }
    return {name: value for name, value in kept.items() if value}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="zygote_process")
    parser.add_argument("control", type=int)
    parser.add_argument("limits", type=Limits.from_json)
    parser.add_argument("pyodide_url", nargs="?")
    parser.add_argument("--preload", action="append", default=[], help="a requirement or a wheel")
    parser.add_argument("--require-seal", action="store_true", help="fail where a layer is missing")
    parser.add_argument("--unshared", action="store_true", help="only one session will live")
    parser.add_argument("--prepared", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main(program: type[ZygoteProcess] = ZygoteProcess) -> None:
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The one other thread of a session, its listener, holds no lock that a copy would need.
    warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
    arguments = _arguments()
    control = socket.socket(fileno=arguments.control)
    try:
        if not arguments.prepared:
            os.set_inheritable(control.fileno(), True)
            _prepare(arguments.pyodide_url, arguments.preload)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps the sessions
        prctl(PR_SET_CHILD_SUBREAPER, 1)  # and their copies, whose parents may end before them
        zygote = program(
            control,
            arguments.limits,
            preload=arguments.preload,
            require_seal=bool(arguments.require_seal),
            shared=not arguments.unshared,
        )
    except RLMKernelError as error:
        _send(control, _failure(error))
        sys.exit(1)
    zygote.run()


if __name__ == "__main__":
    main()
