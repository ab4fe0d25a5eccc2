"""The runs that go on, within their limit, and those that are kept for a while."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterator

from rlm_kernel.agent.environment import REPLFactory
from rlm_kernel.agent.service.metrics import AgentMetrics
from rlm_kernel.agent.service.question import Question
from rlm_kernel.agent.service.record import Record
from rlm_kernel.agent.service.run import Ending, Run, Watch
from rlm_kernel.agent.trajectory import Scrubber
from rlm_kernel.errors import NotReady, RunNotFound, TooManyRuns
from rlm_kernel.settings import ServiceSettings

_RETRY_SECONDS = 2
_SHARE_OF_ONE = 16


class Runs:
    """All runs of a service. `begin` starts one; `sweep` is to be called about once a second."""

    def __init__(
        self,
        factory: REPLFactory,
        settings: ServiceSettings,
        metrics: AgentMetrics,
        secrets: frozenset[str],
    ) -> None:
        self._factory = factory
        self._settings = settings
        self._metrics = metrics
        self._secrets = secrets
        self._scrubber = Scrubber(secrets)
        self._active: dict[str, Run] = {}
        self._kept: OrderedDict[str, tuple[float, Run]] = OrderedDict()
        self._closing = False

    def __len__(self) -> int:
        return len(self._active)

    @property
    def kept(self) -> int:
        """How many ended runs are kept."""
        return len(self._kept)

    def refuse_when_closing(self) -> None:
        """Raises NotReady."""
        if self._closing:
            self._metrics.run_refused("closing")
            raise NotReady("the service closes down", _RETRY_SECONDS)

    def refuse_when_full(self) -> None:
        """Raises TooManyRuns, and NotReady where no more is taken at all."""
        self.refuse_when_closing()
        if len(self._active) >= self._settings.max_runs:
            self._metrics.run_refused("too_many")
            raise TooManyRuns(f"{len(self._active)} runs go on already", _RETRY_SECONDS)

    def begin(self, question: Question, watch: Watch) -> Run:
        """Raises TooManyRuns and NotReady."""
        self.refuse_when_full()
        record = Record(self._settings.kept_bytes // _SHARE_OF_ONE, self._secrets)
        run = Run(question, self._factory, record, self._scrubber, watch)
        self._active[run.id] = run
        run.when_ended(lambda ending: self._end(run, ending))
        return run

    def get(self, run_id: str) -> Run:
        """A run that goes on or is kept. Raises RunNotFound."""
        run = self._active.get(run_id) or self._kept.get(run_id, (0.0, None))[1]
        if run is None:
            raise RunNotFound("there is no such run, or it is forgotten")
        return run

    def forget(self, run_id: str) -> None:
        """Keep nothing of a run that has ended. Raises RunNotFound."""
        self.get(run_id)
        self._active.pop(run_id, None)
        self._kept.pop(run_id, None)

    def __iter__(self) -> Iterator[Run]:
        """The latest first."""
        runs = [*(run for _, run in self._kept.values()), *self._active.values()]
        return iter(sorted(runs, key=lambda run: -run.created_at))

    def sweep(self) -> None:
        """Forget what is kept for too long, or is too much."""
        settings, now = self._settings, time.monotonic()
        size = sum(run.record.size for run in self)
        while self._kept:
            ended_at, oldest = next(iter(self._kept.values()))
            old = now - ended_at > settings.kept_seconds
            if not old and len(self._kept) <= settings.kept_runs and size <= settings.kept_bytes:
                return
            size -= oldest.record.size
            del self._kept[oldest.id]

    async def drain(self, seconds: float) -> None:
        """Take no more, and wait so long for those that go on."""
        self._closing = True
        tasks = [asyncio.ensure_future(run.ending()) for run in self._active.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def close(self) -> None:
        """End all that go on. Idempotent."""
        self._closing = True
        runs = list(self._active.values())
        for run in runs:
            run.cancel()
        runs += [run for _, run in self._kept.values()]
        await asyncio.gather(*(run.gone() for run in runs))

    def _end(self, run: Run, ending: Ending) -> None:
        self._metrics.run_ended(ending, run.seconds)
        if self._active.pop(run.id, None) is not None:
            self._kept[run.id] = time.monotonic(), run
            self.sweep()
