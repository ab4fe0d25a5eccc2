"""Every request that was answered: its line in the log, and its place in the counts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import cast

from tornado.web import RequestHandler

from rlm_kernel.http.connection import Connection
from rlm_kernel.http.handler import SHOWN_PATH
from rlm_kernel.http.metrics import HTTPMetrics

_SWITCHING_PROTOCOLS = 101
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


class AccessLog:
    """tornado's `log_function`. `routes` names the handlers; those in `quiet` log at DEBUG.

    `foreign` are the first parts of paths that have handlers of others. The lines go to `log`.
    """

    def __init__(
        self,
        metrics: HTTPMetrics,
        routes: Mapping[type[RequestHandler], str],
        quiet: tuple[type[RequestHandler], ...],
        log: logging.Logger,
        foreign: tuple[str, ...] = (),
    ) -> None:
        self._log = log
        self._foreign = foreign
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
        # Probes and scrapes come every few seconds for as long as the server lives.
        level = logging.DEBUG if isinstance(handler, self._quiet) else logging.INFO
        if self._log.isEnabledFor(level):
            self._log.log(
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
        return f"/{first[0]}" if first and first[0] in self._foreign else "other"


def connection_of(handler: RequestHandler) -> Connection:
    connection = handler.request.connection
    assert connection is not None
    return cast(Connection, connection.context)  # type: ignore[attr-defined]
