"""The headers of every answer, whichever handler it comes from."""

from __future__ import annotations

from typing import cast

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform

from rlm_kernel.http.connection import Connection
from rlm_kernel.http.server import REQUEST_ID

SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "frame-ancestors 'self'",
}
"""Said unless a handler says otherwise."""


class AnswerHeaders(OutputTransform):
    """Adds what keeps browsers from mischief, and the request's id; counts the answer's bytes."""

    def __init__(self, request: HTTPServerRequest) -> None:
        self._connection = cast(Connection, request.connection.context)  # type: ignore[union-attr]

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        for name, value in SAFE_HEADERS.items():
            if name not in headers:
                headers[name] = value
        headers[REQUEST_ID] = self._connection.request_id
        self._connection.response_bytes += len(chunk)
        return status_code, headers, chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        self._connection.response_bytes += len(chunk)
        return chunk
