"""The life of a manager process: bind, answer, start the zygote, close everything."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from rlm_kernel.errors import ConfigurationError
from rlm_kernel.http.binding import allow_many_files, bind, url_of
from rlm_kernel.http.connections import Connections
from rlm_kernel.http.door import Door
from rlm_kernel.http.housekeeping import Housekeeping
from rlm_kernel.http.server import BoundedHTTPServer
from rlm_kernel.http.stop import Stop, unless
from rlm_kernel.http.traffic import Traffic
from rlm_kernel.kernel.zmq_transport import shared_context
from rlm_kernel.manager.application import ManagerApplication
from rlm_kernel.manager.boots import TracedBoots
from rlm_kernel.manager.handlers.base import Services
from rlm_kernel.manager.lab.folder import LabFolder
from rlm_kernel.manager.metrics import Metrics
from rlm_kernel.manager.orphans import adopt_orphans
from rlm_kernel.manager.pool import Pool
from rlm_kernel.manager.readiness import Readiness
from rlm_kernel.manager.registry import Manager
from rlm_kernel.manager.zygotes import ZygoteKeeper
from rlm_kernel.sandbox import Limits, Zygote, ZygoteRotation
from rlm_kernel.settings import ManagerSettings

_log = logging.getLogger(__name__)

_LAST_ANSWERS_SECONDS = 2.0


class ManagerServer:
    """The manager on its socket; a context manager around its life.

    Binding is the first thing it does, so that a taken port is known before anything heavy
    starts; requests are answered from then on, and those that need a session wait for the zygote.
    Raises ConfigurationError when it cannot, or must not, listen where it is told to.
    """

    def __init__(
        self,
        settings: ManagerSettings,
        *,
        start_zygote: Callable[[], Awaitable[Zygote]] | None = None,
    ) -> None:
        self._settings = settings
        self._lab = LabFolder.prepare(settings.lab_dir) if settings.lab else None
        self._sockets = bind(
            settings.host,
            settings.port,
            token_name="RLM_KERNEL_TOKEN",
            has_token=settings.token is not None,
        )
        self._traffic = Traffic()
        self.metrics = Metrics()
        self.zygotes = ZygoteKeeper(
            partial(self._begin, start_zygote or _starter(settings, self.metrics))
        )
        self.pool = Pool(self.zygotes.spawn, settings.pool)
        self.manager = Manager(
            self.pool.take,
            max_sessions=settings.max_sessions,
            session_ttl=settings.session_ttl,
            replay_bytes=settings.replay_bytes,
            metrics=self.metrics,
        )
        self._watch_sessions()
        connections = Connections(settings.max_connections, self.metrics.connection_closed)
        self._connections = connections
        self.metrics.watch("http_connections", "Connections that are open.", connections.__len__)
        self._housekeeping = Housekeeping(connections.sweep, self.metrics.loop_lag.observe)
        self._http = BoundedHTTPServer(
            ManagerApplication(self._services()), connections=connections
        )

    @property
    def url(self) -> str:
        """Where the manager answers, with the port it got."""
        return url_of(self._sockets)

    async def __aenter__(self) -> Self:
        self._http.add_sockets(self._sockets)
        self._housekeeping.begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Take no more requests, close every session and the zygote. Idempotent."""
        self._http.stop()
        await self.manager.close()
        await self.pool.close()
        await self.zygotes.close()
        # Without their sessions the requests that still run end at once, unless their own
        # sender keeps them waiting.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._traffic.quiet(), _LAST_ANSWERS_SECONDS)
        await self._http.close_all_connections()
        self._housekeeping.end()
        self._connections.close()

    def _watch_sessions(self) -> None:
        watch, manager = self.metrics.watch, self.manager
        watch("sessions", "Sessions that live.", lambda: len(manager))
        watch("sessions_limit", "Sessions that may live at once.", lambda: manager.max_sessions)
        watch("sessions_busy", "Sessions with a request that runs or waits.", manager.count_busy)
        watch("clients_attached", "Jupyter clients at sessions.", manager.count_attached)
        watch("requests_waiting", "Requests in line for a session.", manager.count_waiting)

    async def _begin(self, start: Callable[[], Awaitable[Zygote]]) -> ZygoteRotation:
        settings = self._settings
        rotation = await ZygoteRotation.begin(
            start, settings.zygote_sessions, settings.zygote_seconds
        )
        rotation.on_succession = self.pool.renew
        self.pool.fill()
        return rotation

    def _services(self) -> Services:
        settings = self._settings
        return Services(
            manager=self.manager,
            zygotes=self.zygotes,
            door=_door(settings),
            traffic=self._traffic,
            metrics=self.metrics,
            metrics_token=_secret(settings.metrics_token),
            readiness=Readiness(self.zygotes),
            max_body_bytes=settings.max_body_bytes,
            max_file_bytes=settings.max_file_bytes,
            max_timeout=settings.max_timeout,
            stream_bytes=settings.stream_bytes,
            lab=self._lab,
        )


async def serve(settings: ManagerSettings, *, announce: Callable[[str], None], stop: Stop) -> None:
    """Be a manager until `stop` is asked; `announce` gets the URL once requests are answered.

    Then no new session is taken, and cells that run have `drain_seconds` to end, unless it is
    urgent. Raises ConfigurationError, and what the zygote's first start raises.
    """
    allow_many_files()
    adopt_orphans()
    async with ManagerServer(settings) as server:
        announce(server.url)
        await unless(stop.asked, server.zygotes.ready())
        await stop.asked.wait()
        sessions = len(server.manager)
        _log.info("closing down", extra={"sessions": sessions, "seconds": settings.drain_seconds})
        await unless(stop.urgent, server.manager.drain(settings.drain_seconds))
    shared_context().term()  # the last messages to Jupyter clients still go out


def _starter(settings: ManagerSettings, metrics: Metrics) -> Callable[[], Awaitable[Zygote]]:
    return partial(
        Zygote.start,
        Limits.of(settings),
        pyodide_url=settings.pyodide_url,
        require_seal=settings.require_seal,
        preload=settings.preload,
        observer=TracedBoots(metrics),
    )


def _secret(setting: SecretStr | None) -> str | None:
    return setting.get_secret_value() if setting else None


def _door(settings: ManagerSettings) -> Door:
    token, attach_token = _secret(settings.token), _secret(settings.attach_token)
    if attach_token is not None and token in (None, attach_token):
        raise ConfigurationError(
            "RLM_KERNEL_ATTACH_TOKEN needs an RLM_KERNEL_TOKEN beside it, and not the same"
        )
    return Door(token, attach_token)
