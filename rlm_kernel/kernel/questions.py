"""Questions of running code, put to the client that executes it, and the answers."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from pydantic import ValidationError

from rlm_kernel.kernel.contents import InputContent
from rlm_kernel.kernel.message import Message, Mint
from rlm_kernel.kernel.request import Origin
from rlm_kernel.kernel.sink import Client, GuestSession
from rlm_kernel.sandbox import Event

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """A question that waits for its answer."""

    message_id: str
    client: Client
    event: Event


class Questions:
    """Routes `input_request` and `input_reply`. The guest asks one question at a time."""

    def __init__(self, session: GuestSession, mint: Mint) -> None:
        self._session = session
        self._mint = mint
        self._open: Question | None = None
        self._refused: str | None = None

    def ask(self, event: Event, origin: Origin | None) -> None:
        """Sends the question on; when it can reach nobody, the code that asked is told so."""
        if origin is None:
            self._refuse(event)
            return
        message = self._mint.message("input_request", event.content, origin.header)
        self._open = Question(message.id, origin.client, event)
        if not origin.client.send("stdin", message):
            self._open = None
            self._refuse(event)

    def answer(self, message: Message, client: Client) -> None:
        """Takes an answer from the client that was asked; any other is dropped."""
        question = self._open
        if question is None or question.client != client or not self._fits(message, question):
            log.info("dropped an input_reply that answers no open question")
            return
        try:
            value = InputContent.model_validate(message.content).value
        except ValidationError:
            log.warning("dropped an input_reply whose value is not a string")
            return
        self._open = None
        self._session.answer_input(value, question.event.content.get("question"))

    def abandon(self, client: Client) -> None:
        """Tells the code that asked this client that it will get no answer."""
        question = self._open
        if question is not None and question.client == client:
            self._open = None
            self._refuse(question.event)

    def end(self, request_id: str) -> None:
        """Forgets the question of a request that has ended without an answer."""
        if self._open is not None and self._open.event.request_id == request_id:
            self._open = None

    @staticmethod
    def _fits(message: Message, question: Question) -> bool:
        """Whether the reply names this question, where its client names one at all."""
        parent = message.parent_header
        if parent.get("msg_type") != "input_request":
            return True
        return parent.get("msg_id") == question.message_id

    def _refuse(self, event: Event) -> None:
        """Says it once for a request, whose code may ask any number of times."""
        level = logging.DEBUG if event.request_id == self._refused else logging.WARNING
        self._refused = event.request_id
        log.log(level, "nobody can be asked: %s", str(event.content.get("prompt", ""))[:80])
        error = {"ename": "StdinNotImplementedError", "evalue": "nobody answers host calls"}
        self._session.refuse_input(error, event.content.get("question"))
