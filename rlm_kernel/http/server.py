"""tornado's HTTP server with what it lacks: limits on connections, names for requests."""

from __future__ import annotations

import random
import re
from collections.abc import Awaitable
from typing import Any, cast

from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream

from rlm_kernel import log_fields
from rlm_kernel.http.connection import ClientStream, Connection
from rlm_kernel.http.connections import Connections
from rlm_kernel.http.tracing import RequestSpan

MAX_HEADER_BYTES = 32 << 10
MAX_HEADERS = 128
IDLE_SECONDS = 300.0
"""How long a connection is kept on which nothing happens."""

REQUEST_ID = "X-Request-Id"

_ANY_SIZE = 1 << 62
_ABSOLUTE_FORM = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE)
_LENGTH = re.compile(r"[0-9]{1,18}")
_GIVEN_ID = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)
_SESSION = re.compile(r"/(?:session|api/kernels)/([0-9a-f-]{36})(?:[/?]|$)")


class BoundedHTTPServer(HTTPServer):
    """Serves a tornado application within the limits of `connections`."""

    def initialize(  # type: ignore[override]
        self, application: Any, *, connections: Connections
    ) -> None:
        super().initialize(
            application,
            # The handlers check sizes themselves, to answer and not merely hang up.
            max_body_size=_ANY_SIZE,
            max_header_size=MAX_HEADER_BYTES,
            idle_connection_timeout=IDLE_SECONDS,
        )
        self._limited = connections

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        connection = Connection(ClientStream(stream.socket), address)
        if self._limited.admit(connection):
            served = HTTP1ServerConnection(connection.stream, self.conn_params, connection)
            self._connections.add(served)
            served.start_serving(self)

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        connection = cast(Connection, cast(HTTP1ServerConnection, server_conn).context)
        self._limited.await_request(connection)
        answerer = super().start_request(server_conn, request_conn)
        return _Arrival(answerer, connection, self._limited)

    def on_close(self, server_conn: object) -> None:
        super().on_close(server_conn)
        # Where the stream lives on it is a WebSocket's now.
        connection = cast(Connection, cast(HTTP1ServerConnection, server_conn).context)
        connection.phase = "detached"
        connection.span.let_go(failed=connection.stream.closed())


class _Arrival(HTTPMessageDelegate):
    """One request on its way to its handler."""

    def __init__(
        self, answerer: HTTPMessageDelegate, connection: Connection, connections: Connections
    ) -> None:
        self._answerer = answerer
        self._connection = connection
        self._connections = connections

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        line = _in_origin_form(cast(RequestStartLine, start_line), headers)
        request_id = _request_id(headers.get(REQUEST_ID))
        path, peer = line.path.partition("?")[0], str(self._connection)
        span = RequestSpan.begin(line.method, path, headers, peer)
        self._connections.take_request(self._connection, request_id, span)
        # The task of the request, and all that it starts, have these from this one.
        session = _SESSION.match(line.path)
        log_fields.bind(request_id=request_id, session_id=session[1] if session else None)
        if not _LENGTH.fullmatch(headers.get("Content-Length", "0")):
            raise HTTPInputError("Content-Length is not a number that a body could have")
        if sum(1 for _ in headers.get_all()) > MAX_HEADERS:
            self._connections.refuse_headers(self._connection)
            raise HTTPInputError(f"more than {MAX_HEADERS} headers")
        return self._answerer.headers_received(line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._connection.request_bytes += len(chunk)
        return self._answerer.data_received(chunk)

    def finish(self) -> None:
        self._connection.phase = "answering"
        self._answerer.finish()

    def on_connection_close(self) -> None:
        self._connection.span.let_go(failed=True)
        self._answerer.on_connection_close()


def _request_id(given: str | None) -> str:
    return given if given and _GIVEN_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"


def _in_origin_form(line: RequestStartLine, headers: HTTPHeaders) -> RequestStartLine:
    """The request as it would be without a proxy: `GET http://host/path` means that host."""
    target = None if line.path.startswith("/") else _ABSOLUTE_FORM.fullmatch(line.path)
    if target is None:
        return line
    headers["Host"], path = target.groups()
    return line._replace(path=path if path.startswith("/") else f"/{path}")
