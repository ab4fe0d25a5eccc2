"""One session as the manager holds it: its process, its kernel and what it was used for."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Literal

from rlm_kernel import sandbox
from rlm_kernel.errors import SandboxClosed, SessionBusy, SessionNotFound
from rlm_kernel.kernel import Kernel, ZMQTransport
from rlm_kernel.manager.metrics import Metrics
from rlm_kernel.manager.wire import SessionDetails, SessionInfo


class ManagedSession:
    """A session process with the kernel on top of it.

    Requests run in the order in which they are made. Once the session is closed, those that
    still ran and all that follow raise SessionNotFound. `end` is what a Jupyter client's
    shutdown request comes to, and nothing comes of it where the session is `owned`.
    """

    def __init__(
        self,
        session: sandbox.Session,
        session_id: str,
        end: Callable[[], Awaitable[None]],
        *,
        owned: bool = False,
        replay_bytes: int = 0,
    ) -> None:
        self.id = session_id
        self.created_at = datetime.now(UTC)
        self._session = session
        self._kernel = Kernel(session, session_id, replay_bytes=replay_bytes)
        self._kernel.on_shutdown = self._shut_down
        self._end = end
        self._owned = owned
        self._transport: ZMQTransport | None = None
        self._used_at = self.created_at
        self._requests = 0

    def observe(self, metrics: Metrics) -> None:
        """Have what the session does and goes through counted from now on."""
        self._session.observe(metrics)
        self._kernel.on_executed = metrics.executed

    @property
    def status(self) -> Literal["idle", "busy"]:
        return "busy" if self._requests or self._kernel.status == "busy" else "idle"

    @property
    def waiting(self) -> int:
        """How many requests wait in line."""
        return self._kernel.waiting

    @property
    def idle_seconds(self) -> float:
        """How long the session has stood unused; 0 while it works."""
        if self.status == "busy":
            return 0.0
        return max(0.0, (datetime.now(UTC) - self._last_activity).total_seconds())

    @property
    def _last_activity(self) -> datetime:
        return max(self._used_at, self._kernel.last_activity)

    def info(self) -> SessionInfo:
        return SessionInfo(
            session_id=self.id, created_at=self.created_at, kernel_id=self._kernel.kernel_id
        )

    def details(self) -> SessionDetails:
        return SessionDetails(
            session_id=self.id,
            created_at=self.created_at,
            kernel_id=self._kernel.kernel_id,
            status=self.status,
            executions=self._kernel.executions,
            last_activity=self._last_activity,
            idle_seconds=self.idle_seconds,
        )

    async def execute(
        self, code: str, *, timeout: float | None = None, queue: bool = True
    ) -> sandbox.ExecutionResult:
        """Run a cell, after those before it. Raises SessionBusy if it must not wait but would."""
        if not queue and self.status == "busy":
            raise SessionBusy(f"session {self.id} is running a cell")
        with self.in_use():
            return await self._kernel.execute(code, timeout=timeout)

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the cell that runs, if one does."""
        self._kernel.interrupt()

    async def restart(self) -> None:
        """Begin anew, without the variables; whoever is attached stays so."""
        with self.in_use():
            await self._kernel.restart()

    def connection(self) -> dict[str, Any]:
        """Jupyter connection info; from now on the kernel listens on its ports."""
        with self.in_use():
            if self._transport is None:
                self._transport = ZMQTransport(self._kernel)
            return self._transport.connection_info()

    def upload(self, path: str) -> sandbox.Upload:
        """A file on its way into the session; use it within `in_use`."""
        return self._session.upload(path)

    async def get_file(self, path: str) -> bytes:
        """The bytes of a file of the session. Raises FileError."""
        with self.in_use():
            return await self._session.get_file(path)

    def replay(self) -> bytes:
        """JSON of the latest that Jupyter clients were told, as `kernel.replay` has it."""
        return self._kernel.replay.as_json()

    async def close(self) -> None:
        """Kill the process and let go of the ports. Idempotent."""
        await self._kernel.close()
        if self._transport is not None:
            self._transport.close()

    async def _shut_down(self, restart: bool) -> None:
        if not self._owned:
            await (self.restart() if restart else self._end())

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Keeps the session from expiring; SandboxClosed becomes SessionNotFound."""
        self._requests += 1
        try:
            yield
        except SandboxClosed as error:
            raise SessionNotFound(f"session {self.id} was closed while this ran") from error
        finally:
            self._requests -= 1
            self._used_at = datetime.now(UTC)
