"""A small HTTP server on loopback that serves one file and can be told to misbehave."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """Serves `content` under every path.

    `cuts` are taken one per request: so many bytes are sent, then the line breaks. With `stalls`
    set, the line stays open and silent after half of the content until `resume` is set.
    """

    content: bytes
    ranges: bool = True
    status: int | None = None
    location: str | None = None
    content_range: str | None = None
    cuts: list[int] = field(default_factory=list)
    stalls: bool = False
    stalled: threading.Event = field(default_factory=threading.Event)
    resume: threading.Event = field(default_factory=threading.Event)
    requests: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range")
        self.requests.append(asked)
        if self.location is not None and not handler.path.startswith("/moved/"):
            self._head(handler, 302, 0, {"Location": self.location + handler.path})
        elif self.status is not None:
            self._head(handler, self.status, 0, {})
        else:
            self._send(handler, asked)

    def _send(self, handler: BaseHTTPRequestHandler, asked: str | None) -> None:
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.ranges else 0
        body = self.content[start:]
        total = len(self.content)
        spans = self.content_range or f"bytes {start}-{total - 1}/{total}"
        extra = {"Content-Range": spans} if start else {}
        self._head(handler, 206 if start else 200, len(body), extra)
        if self.stalls:
            handler.wfile.write(body[: len(body) // 2])
            self.stalled.set()
            self.resume.wait(60)
            return
        handler.wfile.write(body[: self.cuts.pop(0)] if self.cuts else body)

    def _head(
        self, handler: BaseHTTPRequestHandler, status: int, length: int, extra: dict[str, str]
    ) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(length))
        for name, value in extra.items():
            handler.send_header(name, value)
        handler.end_headers()


@contextmanager
def serving(server: FileServer) -> Iterator[FileServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}/"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.resume.set()
            http.shutdown()
            thread.join()
