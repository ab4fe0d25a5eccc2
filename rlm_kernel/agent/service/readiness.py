"""Whether the service can do its work: it needs a model, and a manager that runs code."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from contextvars import Context

from rlm_kernel.agent.service.models import Models
from rlm_kernel.agent.service.wire import Readiness as Ready
from rlm_kernel.errors import ManagerError, NotReady

_FRESH_SECONDS = 1.0
_MANAGER_SECONDS = 10.0
_RETRY_SECONDS = 2


class Readiness:
    """Proves readiness for all who ask; those who ask within a second share a proof."""

    def __init__(self, models: Models, manager_ready: Callable[[], Awaitable[None]]) -> None:
        self._models = models
        self._manager_ready = manager_ready
        self._proof: asyncio.Task[str | None] | None = None
        self._proved_at = -math.inf

    async def prove(self) -> Ready:
        """Raises NotReady with the reason."""
        model = self._models.default
        if problem := self._models.problem or await self._problem_of_manager():
            raise NotReady(problem, _RETRY_SECONDS)
        return Ready(model=model)

    async def _problem_of_manager(self) -> str | None:
        if self._proof is None or self._is_stale(self._proof):
            self._proof = asyncio.create_task(self._ask_manager(), context=Context())
        # Not awaited itself: one who hangs up must not cancel it for the others.
        await asyncio.wait({self._proof})
        return self._proof.result()

    def _is_stale(self, proof: asyncio.Task[str | None]) -> bool:
        return proof.done() and time.monotonic() - self._proved_at > _FRESH_SECONDS

    async def _ask_manager(self) -> str | None:
        try:
            async with asyncio.timeout(_MANAGER_SECONDS):
                await self._manager_ready()
        except TimeoutError:
            return f"the manager does not answer within {_MANAGER_SECONDS:g} s"
        except ManagerError as error:
            return f"the manager: {error}"
        finally:
            self._proved_at = time.monotonic()
        return None
