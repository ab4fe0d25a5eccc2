"""One session as the manager holds it: its process, its kernel and what it was used for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from rlm_kernel import sandbox
from rlm_kernel.errors import SandboxClosed, SessionBusy, SessionNotFound
from rlm_kernel.http import tracing
from rlm_kernel.kernel import Kernel, ZMQTransport
from rlm_kernel.kernel.usage import anonymous_bytes, cpu_seconds, memory_bytes
from rlm_kernel.manager.metrics import Metrics
from rlm_kernel.manager.session_files import SessionFiles
from rlm_kernel.manager.wire import AUTHOR, SessionDetails, SessionInfo


class Attached(Protocol):
    """Somebody attached in another way than by ZMQ."""

    def session_ended(self) -> None:
        """Called once when the session is over; must not raise."""


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
        original: ManagedSession | None = None,
    ) -> None:
        self.id = session_id
        self.created_at = datetime.now(UTC)
        self.forked_from = original.id if original else None
        self._session = session
        self._inherited: int = original._inherited if original else anonymous_bytes(session.pid)
        self._kernel: Kernel = Kernel(
            session,
            session_id,
            replay_bytes=replay_bytes,
            forked_from=original._kernel if original else None,
        )
        self._kernel.on_shutdown = self._shut_down
        self.files = SessionFiles(session, self._kernel, self.in_use)
        self._end = end
        self._owned = owned
        self._transports: dict[bool, ZMQTransport] = {}
        self._used_at = self._left_at = self.created_at
        self._requests = 0
        self._clients: list[Attached] = []
        self._unused = asyncio.Event()

    def observe(self, metrics: Metrics) -> None:
        """Have what the session does and goes through counted from now on."""
        self._session.observe(metrics)
        self._kernel.on_executed = metrics.executed

    @property
    def status(self) -> Literal["idle", "busy"]:
        return "busy" if self._requests or self._kernel.status == "busy" else "idle"

    async def settled(self) -> None:
        """Returns once it runs no cell and nobody's request is being served."""
        while self.status == "busy":
            await self._kernel.settled()
            if self._requests:
                await self._unused.wait()

    @property
    def kernel(self) -> Kernel:
        """What Jupyter clients attach to."""
        return self._kernel

    @property
    def attached(self) -> int:
        """How many Jupyter clients are attached, by WebSocket or ZMQ."""
        subscribers = (transport.subscribers for transport in self._transports.values())
        return len(self._clients) + sum(subscribers)

    def welcome(self, client: Attached) -> None:
        """Counts somebody as attached until `part`."""
        self._clients.append(client)

    def part(self, client: Attached) -> None:
        """Idempotent."""
        if client in self._clients:
            self._clients.remove(client)
            self._left_at = datetime.now(UTC)

    @property
    def waiting(self) -> int:
        """How many requests wait in line."""
        return self._kernel.waiting

    @property
    def idle_seconds(self) -> float:
        """How long nobody has used it; 0 while it works, or somebody is attached."""
        if self.status == "busy" or self.attached:
            return 0.0
        last_used = max(self.last_activity, self._last_left())
        return max(0.0, (datetime.now(UTC) - last_used).total_seconds())

    def _last_left(self) -> datetime:
        """When somebody who was attached last left."""
        return max([self._left_at, *(each.left_at for each in self._transports.values())])

    @property
    def last_activity(self) -> datetime:
        """When it was last used (UTC)."""
        return max(self._used_at, self._kernel.last_activity)

    def info(self) -> SessionInfo:
        return SessionInfo(
            session_id=self.id, created_at=self.created_at, kernel_id=self._kernel.kernel_id
        )

    async def details(self) -> SessionDetails:
        """What there is to know; asking is no activity."""
        pid = self._session.pid
        return SessionDetails(
            session_id=self.id,
            created_at=self.created_at,
            kernel_id=self._kernel.kernel_id,
            status=self.status,
            owned=self._owned,
            forked_from=self.forked_from,
            age_seconds=(datetime.now(UTC) - self.created_at).total_seconds(),
            last_activity=self.last_activity,
            idle_seconds=self.idle_seconds,
            executions=self._kernel.executions,
            waiting=self._kernel.waiting,
            clients=self.attached,
            memory_bytes=await self._memory(pid),
            cpu_seconds=cpu_seconds(pid),
        )

    async def _memory(self, pid: int) -> int:
        """What the process has that is its own, or more than it began with if that is more.

        It shares its own with its standby too, as soon as there is one.
        """
        # The kernel of the system takes a millisecond to add up a process's memory.
        own = await asyncio.to_thread(memory_bytes, pid)
        return max(own, anonymous_bytes(pid) - self._inherited)

    async def execute(
        self,
        code: str,
        *,
        timeout: float | None = None,
        observe: Callable[[sandbox.Event], None] | None = None,
        interrupt_when_cancelled: bool = False,
        author: str = AUTHOR,
    ) -> sandbox.ExecutionResult:
        """Run a cell, after those before it; see `Kernel.execute`."""
        with self.in_use(), tracing.span("session.execute", session_id=self.id) as span:
            result = await self._kernel.execute(
                code,
                timeout=timeout,
                observe=observe,
                interrupt_when_cancelled=interrupt_when_cancelled,
                author=author,
            )
            span.set_attribute("rlm_kernel.status", result.status)
            span.set_attribute("rlm_kernel.state", result.state)
            return result

    def refuse_when_busy(self) -> None:
        """Raise SessionBusy where a cell would have to wait."""
        if self.status == "busy":
            raise SessionBusy(f"session {self.id} is running a cell")

    async def fork(
        self,
        session_id: str,
        end: Callable[[], Awaitable[None]],
        *,
        owned: bool = False,
        mid_cell: bool = False,
        replay_bytes: int = 0,
    ) -> ManagedSession:
        """A live copy as another session, with what was published so far as its replay.

        Waits for all that came before; with `mid_cell` not where the running cell itself waits, for
        an answer to what it asked: see `sandbox.Session.fork`. Raises ForkFailed, and
        RequestAborted at a restart.
        """

        async def copy() -> ManagedSession:
            session = await self._session.fork(mid_cell=mid_cell)
            return ManagedSession(
                session, session_id, end, owned=owned, replay_bytes=replay_bytes, original=self
            )

        with self.in_use():
            if mid_cell and self._session.waits_for_answer:
                return await copy()
            return await self._kernel.in_turn(copy)

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the cell that runs, if one does."""
        self._kernel.interrupt()

    async def restart(self) -> None:
        """Begin anew, without the variables; whoever is attached stays so."""
        with self.in_use():
            await self._kernel.restart()

    def connection(self, *, may_end: bool = True) -> dict[str, Any]:
        """Jupyter connection info; from now on the kernel listens on its ports.

        Those who get it with `may_end` end the session by a shutdown request; others do not.
        """
        with self.in_use():
            if may_end not in self._transports:
                self._transports[may_end] = ZMQTransport(self._kernel, may_end=may_end)
            return self._transports[may_end].connection_info()

    def replay(self) -> bytes:
        """JSON of the latest that Jupyter clients were told, as `kernel.replay` has it."""
        return self._kernel.replay.as_json()

    async def close(self) -> None:
        """Kill the process, let go of the ports and of everyone attached. Idempotent."""
        await self._kernel.close()
        for client in tuple(self._clients):
            client.session_ended()
        for transport in self._transports.values():
            transport.close()

    async def _shut_down(self, restart: bool) -> None:
        if not self._owned:
            await (self.restart() if restart else self._end())

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Keeps the session from expiring; SandboxClosed becomes SessionNotFound."""
        self._requests += 1
        self._unused.clear()
        try:
            yield
        except SandboxClosed as error:
            raise SessionNotFound(f"session {self.id} was closed while this ran") from error
        finally:
            self._requests -= 1
            if not self._requests:
                self._unused.set()
            self._used_at = datetime.now(UTC)
