"""The owner's handle of a zygote: starts it, has it fork sessions, and starts it anew."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from rlm_kernel.errors import SandboxClosed, ZygoteError, error_class
from rlm_kernel.sandbox.limits import Limits
from rlm_kernel.sandbox.line_sockets import CONTROL_BYTES, descriptors, line_sockets
from rlm_kernel.sandbox.observer import Observer
from rlm_kernel.sandbox.process import SessionProcess
from rlm_kernel.sandbox.session import Session

log = logging.getLogger(__name__)

BOOTS = 3
"""How often a zygote is booted for those who wait, where it is killed before it is of use."""


class Zygote:
    """One booted guest that sessions are forked from.

    `unsealed` names the layers of the seal that this kernel lacks, and `preloading` tells what went
    wrong with packages that were to be preloaded. All of it belongs to one event
    loop. A zygote process that died is started anew by the next `fork`. `close` ends it and every
    session that came from it.
    """

    module = "rlm_kernel.sandbox.zygote_process"
    """The program of its process."""

    def __init__(
        self,
        limits: Limits,
        pyodide_url: str | None,
        require_seal: bool,
        preload: Sequence[str] = (),
        *,
        shared: bool = True,
        observer: Observer | None = None,
    ) -> None:
        self.limits = limits
        self.observer = observer or Observer()
        self.unsealed: tuple[str, ...] = ()
        self.preloading: tuple[str, ...] = ()
        self._preload = tuple(preload)
        self._pyodide_url = pyodide_url
        self._require_seal = require_seal
        self._shared = shared
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._turn = asyncio.Lock()
        self._processes: set[SessionProcess] = set()
        self._closed = self._retired = False

    @classmethod
    async def start(
        cls,
        limits: Limits | None = None,
        *,
        pyodide_url: str | None = None,
        require_seal: bool = False,
        preload: Sequence[str] = (),
        shared: bool = True,
        observer: Observer | None = None,
    ) -> Zygote:
        """Boots the guest, which takes seconds, and minutes where Pyodide must be fetched first.

        `preload` are packages that every session starts with, as requirements (`"pydantic==2.*"`)
        or paths of wheels. One that is not `shared` is for one session at a time: it boots sooner,
        and its sessions share less memory. Raises FetchError, PackageError, or ZygoteError, also
        where the seal is required and this kernel lacks a layer of it.
        """
        zygote = cls(
            limits or Limits(), pyodide_url, require_seal, preload, shared=shared, observer=observer
        )
        async with zygote._turn:
            await zygote._boot()
        return zygote

    @property
    def pid(self) -> int:
        """The process of the zygote itself."""
        if self._process is None:
            raise SandboxClosed("the zygote is closed")
        return self._process.pid

    @property
    def lives(self) -> bool:
        """Whether its process has been started and not been ended."""
        return self._process is not None

    async def spawn(self) -> Session:
        """A new session, a few milliseconds after. Raises ZygoteError, or SandboxClosed."""
        return Session(self, self.limits, await self.fork())

    async def close(self) -> None:
        """Ends the zygote and all of its sessions. Idempotent."""
        self._closed = True
        async with self._turn:
            processes = list(self._processes)
            for process in processes:
                process.kill("the zygote was closed")
            await asyncio.gather(*(process.ended for process in processes))
            self._end()

    async def fork(self) -> SessionProcess:
        """A fresh process for a session. Raises ZygoteError, or SandboxClosed."""
        # Given up half-way, the answer would be taken for that of the next request.
        forked = asyncio.ensure_future(self._fork())
        forked.add_done_callback(lambda _: self._end_if_deserted())
        try:
            return await asyncio.shield(forked)
        except asyncio.CancelledError:
            forked.add_done_callback(_discard)
            raise
        except ConnectionError as error:
            raise ZygoteError(f"the zygote keeps ending: {error}") from error
        except OSError as error:  # ours: descriptors, say
            raise ZygoteError(f"no session can be forked: {error}") from error

    async def _fork(self) -> SessionProcess:
        async with self._turn:
            if self._closed:
                raise SandboxClosed("the zygote is closed")
            process = await self._fork_or_boot()
            self.track(process)
        return process

    async def _fork_or_boot(self) -> SessionProcess:
        """What kills one zygote may well kill the next, also once it has booted."""
        for _ in range(BOOTS):
            try:
                return await self._ask_for_fork()
            except ConnectionError:  # it is gone, or has just gone
                self._mourn()
                await self._boot()
        return await self._ask_for_fork()

    def track(self, process: SessionProcess) -> None:
        """Has the process end with the zygote."""
        self._processes.add(process)
        process.ended.add_done_callback(lambda _: self._lose(process))
        if self._closed:
            process.kill("the zygote was closed")

    def retire(self) -> None:
        """Has the zygote end by itself once none of its sessions is left."""
        self._retired = True
        self._end_if_deserted()

    def _lose(self, process: SessionProcess) -> None:
        self._processes.discard(process)
        self._end_if_deserted()

    def _end_if_deserted(self) -> None:
        if self._retired and not self._processes and not self._turn.locked():
            self._end()

    async def _ask_for_fork(self) -> SessionProcess:
        """Raises ZygoteError where the zygote says that it cannot, ConnectionError where it is
        gone, and OSError where this process has no room for the session's sockets."""
        if self._control is None:
            raise ConnectionError("there is no zygote")
        with line_sockets() as (ours, theirs):
            socket.send_fds(self._control, [b"fork"], descriptors(theirs))
            answer = await self._receive()
            theirs.tie(answer["pid"])
            process = await SessionProcess.connect(answer["pid"], ours)
        process.wake()
        return process

    def _mourn(self) -> None:
        if self._process is not None:
            log.warning("the zygote died: it starts anew", extra={"pid": self._process.pid})
            self.observer.zygote_died()
        self._end()

    async def _boot(self) -> None:
        """Once more where it is killed meanwhile: what killed one may well kill the next."""
        for boots_left in reversed(range(BOOTS)):
            try:
                await self._boot_once()
                return
            except ConnectionError as error:
                if not boots_left:
                    raise ZygoteError(f"the zygote did not start: {error}") from error
                log.warning("the zygote was killed while it booted: it starts anew")
                self.observer.zygote_died()
            except OSError as error:
                raise ZygoteError(f"the zygote did not start: {error}") from error

    async def _boot_once(self) -> None:
        started = time.perf_counter()
        try:
            self._start_process()
            ready = await self._receive()
        except BaseException:
            self._end()
            raise
        self.observer.zygote_booted(time.perf_counter() - started)
        self._note(ready)

    def _start_process(self) -> None:
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.setblocking(False)
        arguments = [str(theirs.fileno()), self.limits.to_json()]
        if self._pyodide_url:
            arguments.append(self._pyodide_url)
        for package in self._preload:
            arguments.append(f"--preload={package}")
        if self._require_seal:
            arguments.append("--require-seal")
        if not self._shared:
            arguments.append("--unshared")
        self._control = control
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", self.module, *arguments],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _note(self, ready: dict[str, Any]) -> None:
        self.unsealed, self.preloading = tuple(ready["unsealed"]), tuple(ready["preloading"])
        if self.unsealed:
            names = ", ".join(self.unsealed)
            log.warning("sessions run without these layers of their seal: %s", names)
        for problem in self.preloading:
            log.warning("preloading: %s", problem)

    async def _receive(self) -> dict[str, Any]:
        assert self._control is not None
        packet = await asyncio.get_running_loop().sock_recv(self._control, CONTROL_BYTES)
        if not packet:
            raise ConnectionError("the zygote ended")
        message: dict[str, Any] = json.loads(packet)
        if "failed" in message:
            error = error_class(message.get("code", ZygoteError.code))
            raise error(f"the zygote failed: {message['failed']}")
        return message

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            if self._process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)  # and what it may fetch with
            self._process.wait()
        self._control = self._process = None


def _discard(forked: asyncio.Future[SessionProcess]) -> None:
    if not forked.cancelled() and forked.exception() is None:
        forked.result().kill("nobody waits for it any more")
