"""Questions to whoever executes the cell: `input()`, passwords and calls of the host."""

from __future__ import annotations

import itertools
from contextvars import ContextVar
from typing import Any

from rlm_kernel.guest.events import Events, current_request
from rlm_kernel.guest.link import Link

END_OF_INPUT = "\x04"
"""The answer that means that there is no more input, as ipykernel has it."""

stdin_allowed: ContextVar[bool] = ContextVar("stdin_allowed", default=False)
"""Whether the client that executes the running cell answers questions."""


class Asker:
    """Sends an `input_request` and waits for its answer; an interrupt ends the wait.

    The content carries the number of the question. An answer that carries it too is taken for that
    question alone, one without a number for whatever its request asks now.
    """

    def __init__(self, link: Link, events: Events) -> None:
        self._link = link
        self._events = events
        self._numbers = itertools.count(1)

    def ask(self, prompt: str, *, caller: str, password: bool = False, **extra: Any) -> str:
        """The answer. Raises StdinNotImplementedError, in ipykernel's words, if none can come."""
        if not stdin_allowed.get():
            from IPython.core.error import StdinNotImplementedError

            raise StdinNotImplementedError(
                f"{caller} was called, but this frontend does not support input requests."
            )
        number = next(self._numbers)
        self._link.drop("input_reply")  # answers to questions that were interrupted
        content = {"prompt": prompt, "password": password, "question": number, **extra}
        self._events.emit("input_request", content)
        return self._answer_to(number)

    def _answer_to(self, number: int) -> str:
        while True:
            reply = self._link.receive("input_reply")
            asked_here = reply.request_id == current_request.get()
            if asked_here and reply.content.get("question", number) == number:
                return b"".join(reply.buffers).decode(errors="surrogatepass")

    def input(self, prompt: object = "", /) -> str:
        """The built-in `input`."""
        value = self.ask(str(prompt), caller="raw_input")
        if value == END_OF_INPUT:
            raise EOFError
        return value

    def getpass(self, prompt: str = "Password: ", stream: object = None, **_unused: Any) -> str:
        """`getpass.getpass`."""
        return self.ask(prompt, caller="getpass", password=True)
