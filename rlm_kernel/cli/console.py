"""What a cell emits, printed as Python itself would print it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Callable
from typing import Any

from rlm_kernel.cli.keyboard import Keyboard
from rlm_kernel.sandbox import Event

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_END_OF_INPUT = "\x04"


class Console:
    """Prints events as they come and answers those that ask for a line.

    The value of the last expression is not printed: this is a script, not a prompt. An exception
    goes to standard error, without colours unless that is a terminal.
    """

    def __init__(
        self,
        answer: Callable[[str], None],
        *,
        keyboard: Keyboard | None,
        on_closed_pipe: Callable[[], None],
    ) -> None:
        self._answer = answer
        self._keyboard = keyboard
        self._on_closed_pipe = on_closed_pipe
        self._asking: asyncio.Task[None] | None = None
        self._exited = False

    def __call__(self, event: Event) -> None:
        if self._exited:  # IPython's advice on how to leave, to code that has just left
            return
        match event.kind:
            case "stream":
                self._print(event.content["text"], event.content["name"])
            case "display_data":
                self._print(event.content["data"].get("text/plain", "") + "\n")
            case "error":
                self._print_error(event.content)
            case "input_request":
                self.stop_asking()  # an interrupt took the earlier question back
                self._asking = asyncio.ensure_future(self._ask(event.content))

    def stop_asking(self) -> None:
        """Wait for no more lines, for nobody waits for them."""
        if self._asking is not None:
            self._asking.cancel()

    def _print(self, text: str, stream: str = "stdout") -> None:
        out = sys.stderr if stream == "stderr" else sys.stdout
        try:
            out.write(text)
            out.flush()
        except BrokenPipeError:
            # The interpreter flushes it once more when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
            self._on_closed_pipe()

    def _print_error(self, content: dict[str, Any]) -> None:
        if content["ename"] == "SystemExit":
            self._exited = True
            return
        text = "\n".join(content["traceback"]) + "\n"
        self._print(text if sys.stderr.isatty() else _ANSI.sub("", text), "stderr")

    async def _ask(self, content: dict[str, Any]) -> None:
        if "host_call" in content:
            name = content["host_call"]["name"]
            refusal = {"ename": "LookupError", "evalue": f"nobody here answers {name}()"}
            self._answer(json.dumps({"error": refusal}))
            return
        self._print(content["prompt"])
        line = await self._keyboard.line(hidden=content["password"]) if self._keyboard else None
        self._answer(_END_OF_INPUT if line is None else line)
