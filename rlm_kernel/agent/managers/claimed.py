"""Managers in pods that are claimed for the sessions on them, and given up after these."""

from __future__ import annotations

import itertools
import logging
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from rlm_kernel.agent.cancellation import unbroken
from rlm_kernel.agent.managers.claim import WarmPool
from rlm_kernel.agent.managers.faults import is_passing
from rlm_kernel.agent.managers.seats import Begin, Made, Seat
from rlm_kernel.errors import ClaimFailed, NotReady, RLMKernelError, SessionNotFound

ATTEMPTS = 3
"""Pods in which a session may fail to begin."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClaimOptions:
    """`sessions`: how many share a pod. `patience`: seconds that a pod has to become ready.

    `life`: seconds after which a pod ends whatever is in it, should nobody have given it up; past
    half of it no new session comes to it.
    """

    sessions: int = 8
    patience: float = 120.0
    life: float = 21_600.0


@dataclass(slots=True)
class _Claim:
    name: str
    born: float
    taken: int = 0
    retired: bool = False


class ClaimedManagers:
    """`Managers` in pods of a warm pool, at `port` of each, all with the same token.

    A pod is claimed when no claimed one has room for a session, and given up with its last one. One
    that fails gets no further sessions. What a killed agent has claimed ends after its `life`.
    """

    def __init__(
        self,
        pool: WarmPool,
        *,
        scheme: str = "http",
        port: int = 8080,
        token: str | None = None,
        options: ClaimOptions | None = None,
    ) -> None:
        self._pool = pool
        self._scheme = scheme
        self._port = port
        self._token = token
        self._options = options or ClaimOptions()
        self._lock = threading.Lock()
        self._claims: list[_Claim] = []
        self._settled: dict[str, Seat] = {}

    async def place(self, begin: Begin[Made]) -> Made:
        """See `Managers`. Raises ClaimFailed where no pod can be had."""
        for attempt in itertools.count(1):
            claim, is_new = self._take()
            leave = self._leaver(claim)
            try:
                return await begin(Seat(await self._url(claim, is_new), self._token, leave))
            except BaseException as error:
                claim.retired = claim.retired or is_passing(error)
                await leave()
                hopeless = isinstance(error, ClaimFailed) or attempt == ATTEMPTS
                if hopeless or not isinstance(error, RLMKernelError) or not is_passing(error):
                    raise
                _log.warning("a claimed pod is of no use: %s", error)
        raise AssertionError

    async def settle(self, session_id: str, seat: Seat) -> None:
        """See `Managers`."""
        self._settled[session_id] = seat

    async def seat_of(self, session_id: str) -> Seat:
        """See `Managers`. Only those that were settled here are known."""
        seat = self._settled.get(session_id)
        if seat is None:
            raise SessionNotFound(f"no claimed pod has a session {session_id!r}")
        return seat

    async def release(self, session_id: str) -> None:
        """See `Managers`."""
        seat = self._settled.pop(session_id, None)
        if seat is not None:
            await seat.leave()

    async def ready(self) -> None:
        """See `Managers`: whether pods can be claimed is taken for whether one would run code."""
        try:
            exists = await self._pool.exists()
        except ClaimFailed as error:
            raise NotReady(str(error)) from error
        if not exists:
            raise NotReady(f"there is no SandboxWarmPool {self._pool.name}")

    async def close(self) -> None:
        """See `Managers`."""
        for session_id in list(self._settled):
            await self.release(session_id)

    def _take(self) -> tuple[_Claim, bool]:
        """Room in a claimed pod, and whether the claim has yet to be made."""
        with self._lock:
            free = next((claim for claim in self._claims if self._has_room(claim)), None)
            claim = free or _Claim(f"rlm-{uuid.uuid4().hex[:12]}", time.monotonic())
            claim.taken += 1
            if free is None:
                self._claims.append(claim)
            return claim, free is None

    def _has_room(self, claim: _Claim) -> bool:
        is_young = time.monotonic() - claim.born < self._options.life / 2
        return is_young and not claim.retired and claim.taken < self._options.sessions

    async def _url(self, claim: _Claim, is_new: bool) -> str:
        if is_new:
            await self._pool.claim(claim.name, timedelta(seconds=self._options.life))
        address = await self._pool.address(
            claim.name, self._options.patience, lambda: claim.retired
        )
        host = f"[{address}]" if ":" in address else address
        return f"{self._scheme}://{host}:{self._port}"

    def _leaver(self, claim: _Claim) -> Callable[[], Awaitable[None]]:
        left = False

        async def leave() -> None:
            nonlocal left
            if not left:
                left = True
                await unbroken(self._leave(claim))

        return leave

    async def _leave(self, claim: _Claim) -> None:
        with self._lock:
            claim.taken -= 1
            if claim.taken:
                return
            self._claims.remove(claim)
        try:
            await self._pool.release(claim.name)
        except ClaimFailed as error:
            _log.warning("claim %s was left behind: %s", claim.name, error)
