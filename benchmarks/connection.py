"""A client of a manager that takes hardly any time of its own: the manager's is to be measured."""

from __future__ import annotations

import asyncio
import json
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


class Connection:
    """One HTTP connection, kept open; an asynchronous context manager.

    Requests are made one at a time. Raises ConnectionError where it ends before an answer does.
    """

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        address = self._address
        self._streams = await asyncio.open_connection(address.hostname, address.port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        """Ends the connection, also in the middle of a request. Idempotent."""
        if self._streams is not None:
            self._streams[1].transport.abort()

    async def ask(self, method: str, path: str, content: Any = None) -> tuple[int, Any]:
        """The status, and the JSON of the answer where there is one."""
        assert self._streams is not None
        reader, writer = self._streams
        body = b"" if content is None else json.dumps(content).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        try:
            return await _answer(reader)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("the connection ended before the answer") from error


async def _answer(reader: asyncio.StreamReader) -> tuple[int, Any]:
    status, *headers = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    lengths = [int(line[15:]) for line in headers if line.startswith(b"content-length:")]
    body = await reader.readexactly(lengths[0]) if lengths else b""
    return int(status.split()[1]), json.loads(body) if body else None
