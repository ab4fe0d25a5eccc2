"""HTTP as bytes: what no client library would send."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The code of the error that it is."""
        return str(json.loads(self.body)["error"]["code"])

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class RawClient:
    """One connection. Waits as long as the test may take, but for an answer or the end."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=60)
        self._stream = self.socket.makefile("rb")

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stream.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> Answer | None:
        """The next one; None when the other end has hung up instead."""
        line = self._stream.readline()
        if not line:
            return None
        headers = dict(self._headers())
        return Answer(int(line.split()[1]), headers, self._body(headers))

    def ended(self) -> bool:
        """Whether the other end hangs up now, without a further word."""
        return self._stream.read(1) == b""

    def _headers(self) -> list[tuple[str, str]]:
        lines = iter(self._stream.readline, b"\r\n")
        pairs = (line.decode("latin1").partition(":") for line in lines)
        return [(name.lower(), value.strip()) for name, _, value in pairs]

    def _body(self, headers: dict[str, str]) -> bytes:
        return self._stream.read(int(headers.get("content-length", "0")))


def ask(url: str, request: bytes) -> Answer | None:
    """The answer to what is sent on a connection of its own."""
    with RawClient(url) as client:
        client.send(request)
        return client.answer()
