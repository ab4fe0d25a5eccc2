"""A question in, its answer out."""

from __future__ import annotations

import asyncio

from pydantic import ValidationError

from rlm_kernel.agent.service import form
from rlm_kernel.agent.service.handlers.base import OF_RUNS, RunHandler
from rlm_kernel.agent.service.run import Ending
from rlm_kernel.agent.service.step_events import EVENTS
from rlm_kernel.agent.service.wire import InferAnswer, InferRequest, RunFault
from rlm_kernel.errors import BadRequest, RLMKernelError
from rlm_kernel.http.body import explain, read_body
from rlm_kernel.http.event_stream import EventStream
from rlm_kernel.http.events import MEDIA_TYPE, encode
from rlm_kernel.http.faults import body_of, retry_after_of, status_of
from rlm_kernel.http.messages import Wire
from rlm_kernel.http.negotiation import accepts
from rlm_kernel.http.operation import JSON, Operation, Parameter, by_method


class Infer(RunHandler):
    """`/infer`: one answer at the end, or a stream of the run's steps."""

    operations = by_method(
        POST=Operation(
            "infer",
            "Answer a question about a context",
            {200: {JSON: InferAnswer, MEDIA_TYPE: EVENTS}},
            OF_RUNS,
            fault_body=RunFault,
            body={JSON: InferRequest, form.MEDIA_TYPE: None},
            parameters=(
                Parameter("Accept", "header", f"`{MEDIA_TYPE}` for the steps as they happen"),
            ),
        )
    )

    async def post(self) -> None:
        request = await asyncio.to_thread(self._request)
        self.body = bytearray()  # the context is in the request now
        question = self.services.questions.of(request)
        if accepts(self.request.headers.get("Accept", ""), MEDIA_TYPE):
            events = EventStream(self.services.stream_bytes, _fault)
            run = self.services.runs.begin(
                question, lambda name, message: events.add(encode(name, message))
            )
            run.when_ended(lambda ending: events.end())
            events.on_overflow = run.cancel
            self.end_with_client(run)
            await self.send_events(events)
        else:
            run = self.services.runs.begin(question, _unwatched)
            self.end_with_client(run)
            self._answer(await run.ending())

    def _answer(self, ending: Ending) -> None:
        if retry_after := retry_after_of(ending.error):
            self.set_header("Retry-After", retry_after)
        status = 200 if ending.error is None else status_of(ending.error)
        self.answer(ending.message, status)

    def _request(self) -> InferRequest:
        content_type = self.request.headers.get("Content-Type", "")
        if not form.is_form(content_type):
            return read_body(InferRequest, self.body)
        fields = form.fields_of(content_type, self.body)
        try:
            return InferRequest.model_validate(fields)
        except ValidationError as error:
            raise BadRequest(explain(error)) from error


def _fault(error: RLMKernelError) -> bytes:
    """As the fault of a run is told, of which this is the stream's end."""
    return encode("fault", body_of(error))


def _unwatched(name: str, message: Wire) -> None:
    """Nobody looks at the steps while they happen."""
