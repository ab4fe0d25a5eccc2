"""Every request that was answered: its line in the log, and its place in the counts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import cast

from tornado.web import RequestHandler

from rlm_kernel.manager.connection import Connection
from rlm_kernel.manager.handlers.base import SHOWN_PATH
from rlm_kernel.manager.metrics import Metrics

_log = logging.getLogger("rlm_kernel.manager.access")

_FOREIGN_ROUTES = ("api", "kernelspecs", "lab", "static")
_SWITCHING_PROTOCOLS = 101
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


class AccessLog:
    """tornado's `log_function`. `routes` names the handlers; those in `quiet` log at DEBUG."""

    def __init__(
        self,
        metrics: Metrics,
        routes: Mapping[type[RequestHandler], str],
        quiet: tuple[type[RequestHandler], ...],
    ) -> None:
        self._metrics = metrics
        self._routes = routes
        self._quiet = quiet

    def __call__(self, handler: RequestHandler) -> None:
        request, status = handler.request, handler.get_status()
        seconds, route = request.request_time(), self._route_of(handler)
        connection = connection_of(handler)
        connection.span.answered(str(request.method), route, status)
        if status != _SWITCHING_PROTOCOLS:
            method = request.method if request.method in _METHODS else "other"
            self._metrics.request_answered(
                str(method),
                route,
                status,
                seconds,
                connection.request_bytes,
                connection.response_bytes,
            )
        # Probes and scrapes come every few seconds for as long as the manager lives.
        level = logging.DEBUG if isinstance(handler, self._quiet) else logging.INFO
        if _log.isEnabledFor(level):
            _log.log(
                level,
                "%s %s",
                request.method,
                request.path[:SHOWN_PATH],
                extra={"route": route, "status": status, "ms": round(seconds * 1000, 2)},
            )

    def _route_of(self, handler: RequestHandler) -> str:
        if route := self._routes.get(type(handler)):
            return route
        first = handler.request.path.split("/")[1:2]
        return f"/{first[0]}" if first and first[0] in _FOREIGN_ROUTES else "other"


def connection_of(handler: RequestHandler) -> Connection:
    connection = handler.request.connection
    assert connection is not None
    return cast(Connection, connection.context)  # type: ignore[attr-defined]
