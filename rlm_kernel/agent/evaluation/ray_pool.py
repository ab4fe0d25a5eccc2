"""Evaluation on a Ray cluster: each item is a remote task, and the results come back here."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from types import TracebackType
from typing import Any, Self

from rlm_kernel.agent.evaluation.bench import Bench
from rlm_kernel.agent.evaluation.conditions import Conditions
from rlm_kernel.agent.evaluation.plan import Step
from rlm_kernel.agent.evaluation.result import Result
from rlm_kernel.agent.evaluation.trial import failed_result
from rlm_kernel.agent.factory import SidecarREPLFactory
from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.agent.models import Model
from rlm_kernel.errors import ConfigurationError, ManagerUnavailable, RLMKernelError, WorkerLost

OWN = "local"
_TRIES_AFTER_A_CRASH = 1


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
        self._ray = _ray()
        with _own_signals():
            self._connect(address)
        remote = self._ray.remote(max_retries=_TRIES_AFTER_A_CRASH, max_calls=0)
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
            self._ray.cancel(reference, force=True)
            raise
        except RLMKernelError as error:
            raise _plain(error) from None
        except self._ray.exceptions.RayError as error:
            return failed_result(*step, WorkerLost(f"{type(error).__name__}: {error}"))

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
        alone = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        options: dict[str, Any] = alone if address == OWN else {}
        try:
            self._ray.init(
                address=address, logging_level=logging.ERROR, log_to_driver=False, **options
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ConfigurationError(f"no Ray cluster at {address}: {error}") from error


def evaluate_remotely(job: RemoteJob, step: Step) -> str:
    """The task, run in a worker that keeps its manager for the next; returns a Result as JSON."""
    url, token = job.manager or _own_manager()
    factory = SidecarREPLFactory(url, token)
    bench = Bench(job.model, job.recursive_model, job.conditions, factory)
    return asyncio.run(bench.evaluate(step)).model_dump_json()


@cache
def _own_manager() -> tuple[str, str]:
    """Of this process, with which it ends."""
    manager = _keep_alive(ManagerProcess())
    return manager.url, manager.token


@cache
def _keep_alive(manager: ManagerProcess) -> ManagerProcess:
    return manager


def _ray() -> Any:
    # Ray reports home unless told not to, once, before it is imported.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
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


def _plain(error: RLMKernelError) -> RLMKernelError:
    """The error itself, without what Ray wraps around it to make it travel."""
    for kind in (ConfigurationError, ManagerUnavailable):
        if isinstance(error, kind):
            return kind(str(getattr(error, "cause", error)))
    return error
