"""Questions to whoever executes the cell: `input()`, passwords and calls of the host."""

from __future__ import annotations

import asyncio
import itertools
from contextvars import ContextVar
from typing import Any

from rlm_kernel.guest.events import Events, current_request
from rlm_kernel.guest.frames import Frame
from rlm_kernel.guest.link import Link

END_OF_INPUT = "\x04"
"""The answer that means that there is no more input, as ipykernel has it."""

stdin_allowed: ContextVar[bool] = ContextVar("stdin_allowed", default=False)
"""Whether the client that executes the running cell answers questions."""


class Asker:
    """Sends an `input_request` and waits for its answer; an interrupt ends the wait.

    The content carries the number of the question. An answer that carries it too is taken for that
    question alone, one without a number for whatever its request asks now. The owner of the session
    hears one question of a request at a time.
    """

    def __init__(self, link: Link, events: Events) -> None:
        self._link = link
        self._events = events
        self._numbers = itertools.count(1)
        self._awaited: dict[int, tuple[str, asyncio.Future[str]]] = {}

    def ask(self, prompt: str, *, caller: str, password: bool = False, **extra: Any) -> str:
        """The answer. Raises StdinNotImplementedError, in ipykernel's words, if none can come.

        What the same cell awaits an answer to is answered first.
        """
        _check_allowed(caller)
        while self._awaits_answer():
            self._take(self._link.receive("input_reply"))
        self._link.drop("input_reply")  # answers to questions that were interrupted
        number = self._send(prompt, password, extra)
        return self._answer_to(number)

    async def ask_later(self, prompt: str, *, caller: str, **extra: Any) -> str:
        """As `ask`, while the loop goes on; one at a time."""
        _check_allowed(caller)
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        number = self._send(prompt, False, extra)
        self._awaited[number] = (current_request.get(), answer)
        try:
            return await answer
        finally:
            del self._awaited[number]

    def take_answer(self) -> None:
        """Hands on the answer that is awaited, if it has come. Called whenever frames have."""
        while self._awaited and (reply := self._link.take_first("input_reply")) is not None:
            self._take(reply)

    def _send(self, prompt: str, password: bool, extra: dict[str, Any]) -> int:
        number = next(self._numbers)
        content = {"prompt": prompt, "password": password, "question": number, **extra}
        self._events.emit("input_request", content)
        return number

    def _awaits_answer(self) -> bool:
        asking = current_request.get()
        return any(
            request_id == asking and not answer.done()
            for request_id, answer in self._awaited.values()
        )

    def _take(self, reply: Frame) -> None:
        """The answer to a question that is awaited; any other is dropped."""
        for number, (request_id, answer) in self._awaited.items():
            fits = reply.content.get("question", number) == number
            if fits and reply.request_id == request_id and not answer.done():
                answer.set_result(_text_of(reply))

    def _answer_to(self, number: int) -> str:
        while True:
            reply = self._link.receive("input_reply")
            asked_here = reply.request_id == current_request.get()
            if asked_here and reply.content.get("question", number) == number:
                return _text_of(reply)

    def input(self, prompt: object = "", /) -> str:
        """The built-in `input`."""
        value = self.ask(str(prompt), caller="raw_input")
        if value == END_OF_INPUT:
            raise EOFError
        return value

    def getpass(self, prompt: str = "Password: ", stream: object = None, **_unused: Any) -> str:
        """`getpass.getpass`."""
        return self.ask(prompt, caller="getpass", password=True)


def _check_allowed(caller: str) -> None:
    if not stdin_allowed.get():
        from IPython.core.error import StdinNotImplementedError

        raise StdinNotImplementedError(
            f"{caller} was called, but this frontend does not support input requests."
        )


def _text_of(reply: Frame) -> str:
    return b"".join(reply.buffers).decode(errors="surrogatepass")
