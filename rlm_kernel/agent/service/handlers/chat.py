"""Chats in OpenAI's form."""

from __future__ import annotations

import asyncio
import time

from rlm_kernel.agent.service.chat import (
    AssistantMessage,
    Chat,
    ChatChoice,
    ChatCompletion,
    ChatRequest,
    ChatUsage,
)
from rlm_kernel.agent.service.chat_stream import PIECES, ChatStream, answer_of
from rlm_kernel.agent.service.handlers.base import OF_RUNS, RunHandler
from rlm_kernel.agent.service.question import Question
from rlm_kernel.agent.service.run import Ending
from rlm_kernel.agent.service.wire import RunFault
from rlm_kernel.http.body import read_body
from rlm_kernel.http.event_stream import EventStream
from rlm_kernel.http.events import MEDIA_TYPE
from rlm_kernel.http.faults import retry_after_of, status_of
from rlm_kernel.http.messages import Wire
from rlm_kernel.http.operation import JSON, Operation, by_method


class Completions(RunHandler):
    """`/v1/chat/completions`: a long message becomes the context of a run."""

    operations = by_method(
        POST=Operation(
            "chat",
            "Answer a chat",
            {200: {JSON: ChatCompletion, MEDIA_TYPE: PIECES}},
            OF_RUNS,
            fault_body=RunFault,
            body={JSON: ChatRequest},
        )
    )

    async def post(self) -> None:
        chat, question = await asyncio.to_thread(self._read)
        self.body = bytearray()  # what was in it is in the question now
        if chat.stream:
            await self._stream(chat, question)
        else:
            run = self.services.runs.begin(question, _unwatched)
            self.end_with_client(run)
            self._answer(chat, run.id, await run.ending())

    async def _stream(self, chat: ChatRequest, question: Question) -> None:
        pieces = ChatStream(chat.model, usage=chat.wants_usage, typed=chat.is_typed)
        events = EventStream(self.services.stream_bytes, pieces.fault)
        run = self.services.runs.begin(
            question, lambda name, message: events.add(pieces.step(name, message))
        )
        events.add(pieces.begin(run.id))

        def conclude(ending: Ending) -> None:
            for piece in pieces.end(ending):
                events.add(piece)
            events.end()

        run.when_ended(conclude)
        events.on_overflow = run.cancel
        self.end_with_client(run)
        await self.send_events(events)

    def _answer(self, chat: ChatRequest, run_id: str, ending: Ending) -> None:
        text, reason = answer_of(ending, typed=chat.is_typed)
        if text is None:
            assert ending.error is not None
            if retry_after := retry_after_of(ending.error):
                self.set_header("Retry-After", retry_after)
            self.answer(ending.message, status_of(ending.error))
            return
        choice = ChatChoice(message=AssistantMessage(content=text), finish_reason=reason)
        self.answer(
            ChatCompletion(
                id=f"chatcmpl-{run_id}",
                created=int(time.time()),
                model=chat.model,
                choices=[choice],
                usage=ChatUsage.of(ending.message.usage),
            )
        )

    def _read(self) -> tuple[ChatRequest, Question]:
        request = read_body(ChatRequest, self.body)
        request.refuse_what_is_not_done()
        chat = Chat.of(request.messages, self.services.chat_context_characters)
        return request, self.services.questions.of(chat.request(request), chat.messages)


def _unwatched(name: str, message: Wire) -> None:
    """Nobody looks at the steps while they happen."""
