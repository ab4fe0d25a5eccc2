"""The sessions that live: how many there may be, which is which, and when one has to go."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from functools import partial

from rlm_kernel import log_fields
from rlm_kernel.errors import NotReady, SessionExpired, SessionNotFound, TooManySessions
from rlm_kernel.http import tracing
from rlm_kernel.manager.metrics import Metrics
from rlm_kernel.manager.session import ManagedSession
from rlm_kernel.manager.wire import timestamp
from rlm_kernel.sandbox import Session

_log = logging.getLogger(__name__)

REMEMBERED = 10_000
"""How many expired sessions are told apart from those that never were."""


class Manager:
    """Creates, finds and closes sessions.

    A session that stands idle for `session_ttl` seconds is closed, and is remembered as such.
    """

    def __init__(
        self,
        spawn: Callable[[], Awaitable[Session]],
        *,
        max_sessions: int = 100,
        session_ttl: float = 3600.0,
        replay_bytes: int = 0,
        metrics: Metrics | None = None,
    ) -> None:
        self._metrics = metrics or Metrics()
        self.max_sessions = max_sessions
        self.session_ttl = session_ttl
        self._spawn = spawn
        self._replay_bytes = replay_bytes
        self._sessions: dict[str, ManagedSession] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._expired: OrderedDict[str, str] = OrderedDict()
        self._endings: set[asyncio.Task[None]] = set()
        self._arriving = 0
        self._ends_at: float | None = None

    def __len__(self) -> int:
        return len(self._sessions)

    async def create(self, *, owned: bool = False) -> ManagedSession:
        """A fresh session, once the zygote is up; `owned` as `ManagedSession` has it.

        Raises TooManySessions, NotReady when closing down, ZygoteError and FetchError.
        """
        session_id = str(uuid.uuid4())
        end = partial(self._end, session_id)
        started = time.perf_counter()
        with tracing.span("session.create", session_id=session_id), self._room_for_one():
            process = await self._spawn()
            session = ManagedSession(
                process, session_id, end, owned=owned, replay_bytes=self._replay_bytes
            )
        await self._welcome(session)
        self._metrics.session_created("new", time.perf_counter() - started)
        _log.info("session created", extra={"session_id": session.id})
        return session

    async def fork(
        self, original_id: str, *, owned: bool = False, mid_cell: bool = False
    ) -> ManagedSession:
        """A live copy of a session as one more session, `owned` or not whatever the original is.

        Waits for what the original was asked before; `mid_cell` as `ManagedSession.fork` has it.
        Raises what `create` and `get` raise, ForkFailed, and RequestAborted when the original is
        restarted first.
        """
        original = self.get(original_id)
        session_id = str(uuid.uuid4())
        end = partial(self._end, session_id)
        started = time.perf_counter()
        with tracing.span("session.fork", session_id=session_id), self._room_for_one():
            session = await original.fork(
                session_id,
                end,
                owned=owned,
                mid_cell=mid_cell,
                replay_bytes=self._replay_bytes,
            )
        await self._welcome(session)
        self._metrics.session_created("fork", time.perf_counter() - started)
        _log.info("session forked", extra={"session_id": session.id, "forked_from": original_id})
        return session

    @contextlib.contextmanager
    def _room_for_one(self) -> Iterator[None]:
        """Counts a session that is on its way. Raises TooManySessions and NotReady."""
        self.refuse_when_closing()
        self._refuse_when_full()
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1

    async def _welcome(self, session: ManagedSession) -> None:
        """Enters a new session in the list, unless the manager was closed meanwhile."""
        if self._ends_at is not None:
            await session.close()
            self.refuse_when_closing()
        self._sessions[session.id] = session
        self._look_after(session, self.session_ttl)
        session.observe(self._metrics)

    def get(self, session_id: str) -> ManagedSession:
        """The session of this id. Raises SessionNotFound or SessionExpired."""
        if session := self._sessions.get(session_id):
            return session
        if obituary := self._expired.get(session_id):
            raise SessionExpired(obituary)
        raise SessionNotFound(f"there is no session {session_id!r}")

    def sessions(self) -> list[ManagedSession]:
        """Those that live, oldest first."""
        return list(self._sessions.values())

    def count_busy(self) -> int:
        return sum(session.status == "busy" for session in self.sessions())

    def count_waiting(self) -> int:
        """Requests that wait in line for their session."""
        return sum(session.waiting for session in self.sessions())

    def count_attached(self) -> int:
        """Jupyter clients that are attached to sessions."""
        return sum(session.attached for session in self.sessions())

    async def delete(self, session_id: str) -> None:
        """Kill a session. Raises SessionNotFound or SessionExpired.

        On return it is forgotten and its processes have their SIGKILL. That they are no more is
        waited for afterwards, and before the manager ends.
        """
        session = self.get(session_id)
        self._forget(session)
        self._metrics.session_ended("deleted")
        self._begin_to_end(session)
        await asyncio.sleep(0)  # a turn of the loop, in which the kill is sent
        _log.info("session deleted", extra={"session_id": session_id})

    async def _end(self, session_id: str) -> None:
        """Delete a session unless it is gone already."""
        if session_id in self._sessions:
            await self.delete(session_id)

    async def delete_all(self) -> int:
        """Close every session; returns how many there were."""
        sessions = self.sessions()
        for session in sessions:
            self._forget(session)
            self._metrics.session_ended("deleted" if self._ends_at is None else "shutdown")
        await asyncio.gather(*(session.close() for session in sessions))
        _log.info("all sessions deleted", extra={"sessions": len(sessions)})
        return len(sessions)

    async def drain(self, seconds: float) -> None:
        """Take no new sessions, and wait for those that work: at most so many seconds.

        Meanwhile those that live take requests as ever.
        """
        self._ends_at = time.monotonic() + seconds
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while busy := [each for each in self.sessions() if each.status == "busy"]:
                    await asyncio.gather(*(session.settled() for session in busy))

    async def close(self) -> None:
        """Close every session and take no more. Idempotent; the zygotes are their owner's."""
        self._ends_at = time.monotonic()
        await self.delete_all()
        await asyncio.gather(*self._endings)

    def refuse_when_closing(self) -> None:
        """Raises NotReady once the manager takes no new sessions: the next to answer here will."""
        if self._ends_at is not None:
            seconds = max(1, math.ceil(self._ends_at - time.monotonic()))
            raise NotReady("the manager is closing down", retry_after=seconds)

    def _refuse_when_full(self) -> None:
        if len(self._sessions) + self._arriving >= self.max_sessions:
            raise TooManySessions(
                f"there are {self.max_sessions} sessions, as many as there may be (MAX_SESSIONS)",
                retry_after=self._seconds_to_next_expiry(),
            )

    def _seconds_to_next_expiry(self) -> int:
        longest_idle = max((session.idle_seconds for session in self.sessions()), default=0.0)
        return max(1, math.ceil(self.session_ttl - longest_idle))

    def _look_after(self, session: ManagedSession, delay: float) -> None:
        loop = asyncio.get_running_loop()
        # In a context of its own: it is no longer for the request that has created the session.
        self._timers[session.id] = loop.call_later(
            delay, self._expire_if_idle, session, context=log_fields.context(session_id=session.id)
        )

    def _expire_if_idle(self, session: ManagedSession) -> None:
        remaining = self.session_ttl - session.idle_seconds
        if remaining > 0:
            self._look_after(session, remaining)
            return
        self._forget(session)
        self._metrics.session_ended("expired")
        self._remember(session)
        self._begin_to_end(session)
        _log.info("session expired")

    def _begin_to_end(self, session: ManagedSession) -> None:
        ending = asyncio.ensure_future(session.close())
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    def _remember(self, session: ManagedSession) -> None:
        self._expired[session.id] = (
            f"session {session.id} was closed at {timestamp(datetime.now(UTC))}, "
            f"after it had been idle for {self.session_ttl:g} s (SESSION_TTL)"
        )
        if len(self._expired) > REMEMBERED:
            self._expired.popitem(last=False)

    def _forget(self, session: ManagedSession) -> None:
        del self._sessions[session.id]
        self._timers.pop(session.id).cancel()
