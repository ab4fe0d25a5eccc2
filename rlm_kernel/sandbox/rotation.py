"""Zygotes in succession: what all sessions of one have in common does not stay for ever."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextvars import Context

from rlm_kernel.errors import SandboxClosed
from rlm_kernel.sandbox.process import SessionProcess
from rlm_kernel.sandbox.session import Session
from rlm_kernel.sandbox.zygote import Zygote

log = logging.getLogger(__name__)

ZYGOTE_SESSIONS = 1000
ZYGOTE_SECONDS = 86400.0

RETRY_SECONDS = 60.0
"""How long the old zygote goes on after its successor did not start, before the next attempt."""

StartZygote = Callable[[], Awaitable[Zygote]]


class ZygoteRotation:
    """Forks sessions from a zygote, and from its successor once it has forked many or is old.

    Sessions of one zygote share its hash seed, so that what one of them learns about it would be
    good for all to come. The successor boots while the old zygote goes on, which nobody waits for;
    the old one ends when none of its sessions is left. `on_succession` is called whenever one has
    followed another. All of it belongs to one event loop.
    """

    def __init__(
        self,
        start: StartZygote,
        first: Zygote,
        max_sessions: int = ZYGOTE_SESSIONS,
        max_seconds: float = ZYGOTE_SECONDS,
    ) -> None:
        self.retry_seconds = RETRY_SECONDS
        self.on_succession: Callable[[], None] = lambda: None
        self._start = start
        self._current = first
        self._max_sessions = max_sessions
        self._max_seconds = max_seconds
        self._forks = 0
        self._next_attempt = 0.0
        self._born = time.monotonic()
        self._retired: set[Zygote] = set()
        self._succession: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._closed = False

    @classmethod
    async def begin(
        cls,
        start: StartZygote,
        max_sessions: int = ZYGOTE_SESSIONS,
        max_seconds: float = ZYGOTE_SECONDS,
    ) -> ZygoteRotation:
        """Starts the first zygote. Raises what `start` raises."""
        rotation = cls(start, await start(), max_sessions, max_seconds)
        rotation._set_alarm(max_seconds)
        return rotation

    @property
    def current(self) -> Zygote:
        """The zygote that the next session comes from."""
        return self._current

    @property
    def unsealed(self) -> tuple[str, ...]:
        """The layers of the seal that sessions lack."""
        return self._current.unsealed

    async def spawn(self) -> Session:
        """A new session, a few milliseconds after. Raises ZygoteError, or SandboxClosed."""
        zygote = self._current
        return Session(_Lineage(self, zygote), zygote.limits, await self.fork_from(zygote))

    async def close(self) -> None:
        """Ends the zygotes and all of their sessions. Idempotent."""
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        if self._succession is not None:
            self._succession.cancel()
            await asyncio.wait({self._succession})
        await asyncio.gather(*(zygote.close() for zygote in (self._current, *self._retired)))

    async def fork_from(self, zygote: Zygote) -> SessionProcess:
        """A fresh process from this zygote. Raises ZygoteError, or SandboxClosed."""
        if self._closed:
            raise SandboxClosed("the zygote is closed")
        process = await zygote.fork()
        self._forks += 1
        self._succeed_if_due()
        return process

    def _set_alarm(self, seconds: float) -> None:
        """A zygote grows old also where nobody asks it for anything."""
        if self._alarm is not None:
            self._alarm.cancel()
        loop = asyncio.get_running_loop()
        self._alarm = loop.call_later(seconds, self._succeed_if_due, context=Context())

    def _succeed_if_due(self) -> None:
        if self._succession is None and self._is_due():
            self._succession = asyncio.create_task(self._succeed(), context=Context())

    def _is_due(self) -> bool:
        now = time.monotonic()
        is_old = now >= self._born + self._max_seconds or self._forks >= self._max_sessions
        return is_old and now >= self._next_attempt

    async def _succeed(self) -> None:
        try:
            self._replace(await self._start())
        except Exception as error:
            log.error("the next zygote did not start, the old one goes on: %s", error)
            self._next_attempt = time.monotonic() + self.retry_seconds
            self._set_alarm(self.retry_seconds)
        finally:
            self._succession = None

    def _replace(self, successor: Zygote) -> None:
        old, self._current = self._current, successor
        self._forks, self._born = 0, time.monotonic()
        self._set_alarm(self._max_seconds)
        self._retired = {zygote for zygote in self._retired if zygote.lives} | {old}
        old.retire()
        log.info("a new zygote has taken over")
        successor.observer.zygote_succeeded()
        self.on_succession()


class _Lineage:
    """Where one session gets its processes from.

    Fresh ones come from the zygote of the day. Copies belong to the zygote that their original is
    from, and end with it.
    """

    def __init__(self, rotation: ZygoteRotation, zygote: Zygote) -> None:
        self._rotation = rotation
        self._zygote = zygote

    async def fork(self) -> SessionProcess:
        self._zygote = self._rotation.current
        return await self._rotation.fork_from(self._zygote)

    def track(self, process: SessionProcess) -> None:
        self._zygote.track(process)
