"""The life of the service: bind, answer, start the local model, drain, close everything."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from rlm_kernel.agent.factory import factory_for
from rlm_kernel.agent.models.model import preload_litellm
from rlm_kernel.agent.service.application import AgentApplication
from rlm_kernel.agent.service.handlers.base import Services
from rlm_kernel.agent.service.held import HeldBytes
from rlm_kernel.agent.service.local_model import LocalModelKeeper
from rlm_kernel.agent.service.metrics import AgentMetrics
from rlm_kernel.agent.service.models import Models, local_file
from rlm_kernel.agent.service.question import Questions
from rlm_kernel.agent.service.readiness import Readiness
from rlm_kernel.agent.service.runs import Runs
from rlm_kernel.agent.trajectory import secrets_of_environment
from rlm_kernel.http.binding import allow_many_files, bind, url_of
from rlm_kernel.http.connections import Connections
from rlm_kernel.http.door import Door
from rlm_kernel.http.housekeeping import Housekeeping
from rlm_kernel.http.server import BoundedHTTPServer
from rlm_kernel.http.stop import Stop, unless
from rlm_kernel.http.traffic import Traffic
from rlm_kernel.manager.client import ManagerClient
from rlm_kernel.settings import ServiceSettings

_log = logging.getLogger(__name__)

_LAST_ANSWERS_SECONDS = 2.0


class AgentServer:
    """The service on its socket; a context manager around its life.

    Binding is the first thing it does; requests are answered from then on. A local model is loaded
    meanwhile; neither its file nor a manager need be there yet. Raises ConfigurationError when it
    cannot, or must not, listen where it is told to, and for a file that is no model.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._sockets = bind(
            settings.host,
            settings.port,
            token_name="RLM_KERNEL_AGENT_TOKEN",
            has_token=settings.agent_token is not None,
        )
        file = local_file(settings)
        self.local = None if file is None else LocalModelKeeper(file)
        self.models = Models(settings, self.local)
        self.metrics = AgentMetrics(lambda: self.models.labels)
        token = _secret(settings.token)
        self._factory = factory_for(settings)
        tokens = (token, _secret(settings.agent_token), _secret(settings.metrics_token))
        secrets = secrets_of_environment() | frozenset(filter(None, tokens))
        self.runs = Runs(self._factory, settings, self.metrics, secrets)
        sole = settings.sole_manager_url
        self._manager = None if sole is None else ManagerClient(sole, token=token)
        self._traffic = Traffic()
        self._held = HeldBytes(settings.agent_held_bytes)
        connections = Connections(settings.max_connections, self.metrics.connection_closed)
        self._connections = connections
        self._watch(connections)
        self._housekeeping = Housekeeping(self._sweep, self.metrics.loop_lag.observe)
        self._http = BoundedHTTPServer(AgentApplication(self._services()), connections=connections)
        self._preloading: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where the service answers, with the port it got."""
        return url_of(self._sockets)

    async def __aenter__(self) -> Self:
        self._http.add_sockets(self._sockets)
        self._housekeeping.begin()
        self._preloading = asyncio.create_task(asyncio.to_thread(preload_litellm))
        if self.local is not None:
            self.local.begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Take no more requests, end every run and the local model. Idempotent."""
        self._http.stop()
        await self.runs.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._traffic.quiet(), _LAST_ANSWERS_SECONDS)
        await self._http.close_all_connections()
        self._housekeeping.end()
        self._connections.close()
        if self._preloading is not None:
            await asyncio.wait({self._preloading})
        if self.local is not None:
            await self.local.close()
        await self._factory.close()
        if self._manager is not None:
            await self._manager.close()

    def _watch(self, connections: Connections) -> None:
        watch, runs = self.metrics.watch, self.runs
        watch("runs_active", "Runs that go on.", lambda: len(runs))
        watch("runs_limit", "Runs that may go on at once.", lambda: self._settings.max_runs)
        watch("runs_kept", "Runs that have ended and are kept.", lambda: runs.kept)
        watch("held_bytes", "Bytes of requests that are held.", lambda: self._held.total)
        watch("http_connections", "Connections that are open.", connections.__len__)

    def _sweep(self) -> None:
        self._connections.sweep()
        self.runs.sweep()

    def _services(self) -> Services:
        settings = self._settings
        return Services(
            door=Door(_secret(settings.agent_token)),
            traffic=self._traffic,
            metrics=self.metrics,
            max_body_bytes=settings.agent_max_body_bytes,
            models=self.models,
            questions=Questions(self.models, settings),
            runs=self.runs,
            readiness=Readiness(self.models, self._factory.ready),
            manager=self._manager,
            held=self._held,
            metrics_token=_secret(settings.metrics_token),
            stream_bytes=settings.stream_bytes,
            chat_context_characters=settings.chat_context_characters,
        )


async def serve(settings: ServiceSettings, *, announce: Callable[[str], None], stop: Stop) -> None:
    """Be the service until `stop` is asked; `announce` gets the URL once requests are answered.

    Then no new run is taken, and those that go on have `agent_drain_seconds` to end, unless it is
    urgent. Raises ConfigurationError.
    """
    allow_many_files()
    async with AgentServer(settings) as server:
        announce(server.url)
        await stop.asked.wait()
        seconds = settings.agent_drain_seconds
        _log.info("closing down", extra={"runs": len(server.runs), "seconds": seconds})
        await unless(stop.urgent, server.runs.drain(seconds))


def _secret(setting: SecretStr | None) -> str | None:
    return setting.get_secret_value() if setting else None
