"""The question that the running cell asks: `input()`, or a call of the host."""

from __future__ import annotations

import json
from collections.abc import Callable

from rlm_kernel.guest.frames import Frame, FrameError
from rlm_kernel.sandbox.events import Event
from rlm_kernel.sandbox.output_meter import OutputMeter


class OpenQuestion:
    """At most one question, from its `input_request` until it is answered or its cell ends.

    `send` takes the frame of an answer to the process, `interrupt` ends the request of this id.
    """

    def __init__(
        self, meter: OutputMeter, send: Callable[[Frame], None], interrupt: Callable[[str], None]
    ) -> None:
        self._meter = meter
        self._send = send
        self._interrupt = interrupt
        self._asked: Event | None = None

    @property
    def request_id(self) -> str | None:
        """The request whose code waits for an answer; None where none does."""
        return None if self._asked is None else self._asked.request_id

    def ask(self, asked: Event) -> None:
        """The cell waits for an answer to this `input_request` now."""
        self._asked = asked

    def close(self) -> None:
        """The cell waits for no answer any more."""
        self._asked = None

    def answer(self, value: str, number: object) -> None:
        """Answers the question of this number, or whatever is asked where it is None.

        The answer to an earlier one is dropped. One that is too large to be sent is refused.
        """
        asked = self._take(number)
        if asked is None:
            return
        try:
            self._answer(asked, value)
        except FrameError as error:
            self._refuse(asked, {"ename": "ValueError", "evalue": f"the answer: {error}"})
        else:
            self._meter.answered()

    def refuse(self, error: dict[str, str], number: object) -> None:
        """Has it fail: a host call raises `error`, `input()` can only be interrupted."""
        asked = self._take(number)
        if asked is not None:
            self._refuse(asked, error)

    def _take(self, number: object) -> Event | None:
        asked = self._asked
        if asked is None or number not in (None, asked.content.get("question")):
            return None
        self._asked = None
        return asked

    def _refuse(self, asked: Event, error: dict[str, str]) -> None:
        # The meter has no part in it: nobody is there whose answers would pace the questions.
        if "host_call" in asked.content:
            self._answer(asked, json.dumps({"error": error}))
        else:
            self._interrupt(asked.request_id)

    def _answer(self, asked: Event, value: str) -> None:
        content = {"question": asked.content.get("question")}
        data = value.encode(errors="surrogatepass")
        self._send(Frame("input_reply", asked.request_id, content, (data,)))
