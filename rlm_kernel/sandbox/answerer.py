"""Asks a caller's function for answers to the code's questions, in a thread beside the loop."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rlm_kernel.sandbox.events import Event
from rlm_kernel.sandbox.loop_thread import LoopThread
from rlm_kernel.sandbox.session import Session

Answer = Callable[[str, bool], str]
"""Answers a question of the code: takes the prompt and whether the answer is secret."""


class Answerer:
    """One question at a time; of those that come meanwhile only the newest is asked after it.

    EOFError and KeyboardInterrupt of the function interrupt the code that asked. So does any other
    exception, which is given to `fail` on the loop.
    """

    def __init__(
        self,
        loop: LoopThread,
        session: Session,
        answer: Answer,
        fail: Callable[[BaseException], None],
    ) -> None:
        self._loop = loop
        self._session = session
        self._answer = answer
        self._fail = fail
        self._lock = threading.Lock()
        self._next: Event | None = None
        self._asking = False

    def __call__(self, question: Event) -> None:
        with self._lock:
            self._next = question
            if self._asking:
                return
            self._asking = True
        threading.Thread(target=self._ask_all, daemon=True).start()

    def _ask_all(self) -> None:
        while (question := self._take()) is not None:
            content = question.content
            try:
                value = self._answer(content["prompt"], content["password"])
            except (EOFError, KeyboardInterrupt):
                self._loop.call_soon(self._session.interrupt)
            except BaseException as error:
                self._loop.call_soon(self._fail, error)
            else:
                self._loop.call_soon(self._session.answer_input, value, content.get("question"))

    def _take(self) -> Event | None:
        with self._lock:
            question, self._next = self._next, None
            self._asking = question is not None
            return question
