"""A model that takes no time, in a process of its own, which times everybody else.

It speaks OpenAI's protocol on a free port of 127.0.0.1. What it says depends on its address:

    /turns/v1    in each turn one assignment and one line of output
    /asks/v1     in each turn one question to a model
    /fan/v1      64 questions to a model at once, then the answer
    /slow/v1     "ok", after a second
    /quick/v1    "ok"

Between a reply and the next request lies all that its client does. `gaps` gives these times.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self
from urllib.request import ProxyHandler, build_opener

MODEL = "gpt-5-mini"
"""Its name: one that clients know a price of, as they do of most that are in use."""

FAN = 64
SLOW_SECONDS = 1.0
_FAN_CODE = (
    f"replies = llm_query_batched(['Say ok.'] * {FAN})\n"
    "answer['content'] = str(sum(reply == 'ok' for reply in replies))\n"
    "answer['ready'] = True"
)


class ModelProcess:
    """The model's process, which ends with its owner; a context manager."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.model"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._url = self._process.stdout.readline().strip()

    def base_url(self, what: str) -> str:
        """The API base of the model that says this."""
        return f"{self._url}/{what}/v1"

    def gaps(self) -> list[float]:
        """Milliseconds from each reply to the next request, since this was last asked."""
        with build_opener(ProxyHandler({})).open(f"{self._url}/gaps") as answer:
            return [float(milliseconds) for milliseconds in json.load(answer)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


class _Model:
    def __init__(self) -> None:
        self._gaps: list[float] = []
        self._replied: float | None = None
        self._turn = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """All requests of a connection."""
        try:
            while True:
                path = await _request(reader)
                arrived = time.perf_counter()
                asked = path.split("/")[1]
                content = self._reported() if asked == "gaps" else await self._reply(asked, arrived)
                payload = json.dumps(content).encode()
                head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                writer.write(f"{head}{len(payload)}\r\n\r\n".encode() + payload)
                self._replied = None if asked == "gaps" else time.perf_counter()
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _reported(self) -> Sequence[float]:
        gaps, self._gaps = self._gaps, []
        return gaps

    async def _reply(self, what: str, arrived: float) -> dict[str, Any]:
        if self._replied is not None:
            self._gaps.append((arrived - self._replied) * 1e3)
        if what == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        return _completion(self._text(what))

    def _text(self, what: str) -> str:
        self._turn += 1
        match what:
            case "turns":
                code = f"n = {self._turn}\nprint(n)"
            case "asks":
                code = f"n = {self._turn}\nprint(llm_query('Say ok.'))"
            case "fan":
                code = _FAN_CODE
            case _:
                return "ok"
        return f"```repl\n{code}\n```"


async def _request(reader: asyncio.StreamReader) -> str:
    """The path of a request that has arrived whole."""
    first, *headers = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    lengths = [line[15:] for line in headers if line.lower().startswith("content-length:")]
    await reader.readexactly(int(lengths[0]) if lengths else 0)
    return first.split()[1]


def _completion(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


async def _main() -> None:
    server = await asyncio.start_server(_Model().serve, "127.0.0.1", 0, limit=1 << 24)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # there is nothing to be cleaned up, and nobody to be told of connections


if __name__ == "__main__":
    asyncio.run(_main())
