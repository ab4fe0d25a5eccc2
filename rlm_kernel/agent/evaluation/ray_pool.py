"""Evaluation on a Ray cluster: each item is a remote task, and the results come back here."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from types import TracebackType
from typing import Any, Self

from rlm_kernel.agent.cancellation import unbroken
from rlm_kernel.agent.evaluation.bench import Bench
from rlm_kernel.agent.evaluation.conditions import Conditions
from rlm_kernel.agent.evaluation.plan import Step
from rlm_kernel.agent.evaluation.result import Result
from rlm_kernel.agent.evaluation.trial import failed_result
from rlm_kernel.agent.factory import SidecarREPLFactory
from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.agent.models.model import Model
from rlm_kernel.errors import ConfigurationError, WorkerLost

OWN = "local"
_TRIES_AFTER_A_CRASH = 1
_LOOPBACK = re.compile(r"(ray://)?(127\.|localhost\b|\[::1\])")
_HOST_AND_PORT = re.compile(r"(?:ray://)?([^/]+):(\d{1,5})")
_CONNECT_SECONDS = 10.0
_HEARTBEAT = 0.5  # s
_STOP_SECONDS = 10.0
_TRIES_TO_START = 3  # a cluster gives its own processes 15 s to start, whatever the machine's load


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """What the workers are told. `manager` is an address and a token; None: each has its own.

    Keys of models are not sent unless a model holds one: workers read their own environment.
    """

    model: Model
    recursive_model: Model
    conditions: Conditions
    manager: tuple[str, str | None] | None = field(repr=False)


class RayPool:
    """Evaluates on the cluster at `address`; a context manager around the connection.

    `local` starts a cluster of one machine, on loopback, that ends with this. The workers need
    rlm-kernel, in this version, and this Python. Ray runs as many items at once as the cluster
    has cores.
    """

    def __init__(self, address: str, job: RemoteJob) -> None:
        """Connect. Raises ConfigurationError where Ray is not installed or nobody answers."""
        self._ray = _ray(address)
        with _own_signals():
            self._connect(address)
        remote = self._ray.remote(max_retries=_TRIES_AFTER_A_CRASH)
        self._task = remote(evaluate_remotely)
        self._job = self._ray.put(job)

    async def evaluate(self, step: Step) -> Result:
        """One item in one way, on some machine. Raises what `Bench.evaluate` does.

        Where its worker is lost twice, that is an error of the item.
        """
        reference = self._task.remote(self._job, step)
        try:
            return Result.model_validate_json(await reference)
        except asyncio.CancelledError:
            await unbroken(self._withdraw(reference))
            raise
        except self._ray.exceptions.RayTaskError as error:
            raise getattr(error, "cause", error) from None
        except self._ray.exceptions.RayError as error:
            return failed_result(*step, WorkerLost(f"{type(error).__name__}: {error}"))

    async def _withdraw(self, reference: Any) -> None:
        """Interrupt the task, and give it the time to delete its session."""
        self._ray.cancel(reference)
        await asyncio.to_thread(self._ray.wait, [reference], timeout=_STOP_SECONDS)

    def close(self) -> None:
        """Leave the cluster, or end one of our own. Idempotent."""
        self._ray.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _connect(self, address: str) -> None:
        _check_that_somebody_listens(address)
        options: dict[str, Any] = {"include_dashboard": False} if address == OWN else {}
        for tries_left in reversed(range(_TRIES_TO_START if address == OWN else 1)):
            try:
                self._ray.init(
                    address=address, logging_level=logging.ERROR, log_to_driver=False, **options
                )
            except Exception as error:  # Ray raises a bare Exception where its processes fail
                self._ray.shutdown()
                if not tries_left:
                    raise ConfigurationError(f"no Ray cluster at {address}: {error}") from error
            else:
                return


def _check_that_somebody_listens(address: str) -> None:
    """Ray itself would go on trying for minutes."""
    place = _HOST_AND_PORT.fullmatch(address)
    if place is None:
        return
    try:
        socket.create_connection((place[1].strip("[]"), int(place[2])), _CONNECT_SECONDS).close()
    except OSError as error:
        raise ConfigurationError(f"no Ray cluster at {address}: {error}") from error


def evaluate_remotely(job: RemoteJob, step: Step) -> str:
    """The task, run in a worker that keeps its manager for the next; returns a Result as JSON."""
    bench = Bench(job.model, job.recursive_model, job.conditions, _sessions(job))
    return asyncio.run(_interruptible(bench.evaluate(step))).model_dump_json()


async def _interruptible(work: Coroutine[Any, Any, Result]) -> Result:
    """Await `work` in a loop that never waits for long: Ray's interrupts do not wake it."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait([task], timeout=_HEARTBEAT))[0]:
            pass
        return task.result()
    finally:
        task.cancel()
        await unbroken(_ended(task))


async def _ended(task: asyncio.Future[Result]) -> None:
    await asyncio.gather(task, return_exceptions=True)


def _sessions(job: RemoteJob) -> SidecarREPLFactory:
    if job.manager is not None:
        return SidecarREPLFactory(*job.manager)
    own = _own_manager()
    return SidecarREPLFactory(own.url, own.token)


@cache
def _own_manager() -> ManagerProcess:
    """Of this worker, with which it ends."""
    return ManagerProcess()


def _ray(address: str) -> Any:
    # What Ray reads when it is imported: that it shall not report home, and that a cluster is for
    # this machine only. It says Windows, but means that loopback is not replaced by an address
    # that others can reach, neither where it listens nor where it looks for a cluster.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address == OWN or _LOOPBACK.match(address):
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        return import_module("ray")
    except ImportError as error:
        raise ConfigurationError(
            "--ray needs the extra `ray`: pip install 'rlm-kernel[ray]'"
        ) from error


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself; those who had it get it back."""
    before: Callable[..., Any] | int | None = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
