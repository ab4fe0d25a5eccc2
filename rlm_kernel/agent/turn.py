"""One turn of a run: what is done with one reply of the model."""

from __future__ import annotations

import json
from dataclasses import dataclass

from rlm_kernel.agent.answers import TextAnswer, as_text_answer, find_text_answer
from rlm_kernel.agent.clipping import ClippedText
from rlm_kernel.agent.environment import Answer, CellResult, Environment, OnHostCall
from rlm_kernel.agent.events import (
    CodeFinished,
    CodeStarted,
    OutputKind,
    OutputWritten,
    RichOutput,
)
from rlm_kernel.agent.feedback import (
    CUT_BLOCK,
    CUT_REPLY,
    UNSEEN,
    BlockReport,
    describe_blocks,
    describe_failed_answer,
    describe_missing_code,
)
from rlm_kernel.agent.fences import ParsedReply, parse_reply
from rlm_kernel.agent.host_calls import AnnouncedCalls
from rlm_kernel.agent.models.model import Completion
from rlm_kernel.agent.setting import Setting

_WATCHED_CHARACTERS = 1_000_000
_WATCHED_RICH = 16_000_000
_WATCHED_ENOUGH = "[the rest of this output is not shown here]\n"


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer, and what else there is to tell the model."""

    answer: Answer | None
    feedback: str = ""


class Turn:
    """Runs the code of one reply in the run's session and looks for its answer."""

    def __init__(
        self, run: str, number: int, setting: Setting, environment: Environment, calls: OnHostCall
    ) -> None:
        self._run = run
        self._number = number
        self._setting = setting
        self._environment = environment
        self._calls = AnnouncedCalls(run, setting.emit, calls)

    async def take(self, completion: Completion) -> Outcome:
        """Do what the reply says: its code first, in order, then the answer it gives as text."""
        plan = _Plan.of(completion)
        reports = await self._run_blocks(plan.blocks)
        notes = [*plan.notes]
        if reports:
            seconds = self._setting.options.cell_timeout_s
            notes.insert(0, describe_blocks(reports, len(plan.blocks), seconds))
        if reports and reports[-1].result.answer is not None:
            return Outcome(reports[-1].result.answer, "\n\n".join(notes))
        failed = bool(reports) and reports[-1].result.error is not None
        if plan.text_answer is not None and not failed:
            outcome = await self._take_text(plan.text_answer, code_ran=bool(reports))
            if outcome.answer is not None:
                return Outcome(outcome.answer, "\n\n".join(notes))
            notes.append(outcome.feedback)
        return Outcome(None, "\n\n".join(notes or [describe_missing_code(plan.reply)]))

    async def evaluate(self, answer: TextAnswer) -> CellResult:
        """Have the session work out an answer that stood in the text."""
        return await self._environment.take_text_answer(
            answer,
            timeout_s=self._setting.options.cell_timeout_s,
            on_host_call=self._calls,
        )

    async def _run_blocks(self, blocks: tuple[str, ...]) -> list[BlockReport]:
        """Run blocks up to the first that fails or answers."""
        reports: list[BlockReport] = []
        for number, code in enumerate(blocks, 1):
            report = await self._run_block(number, code)
            reports.append(report)
            if report.result.error is not None or report.result.answer is not None:
                break
        return reports

    async def _run_block(self, number: int, code: str) -> BlockReport:
        emit, options = self._setting.emit, self._setting.options
        emit(CodeStarted(self._run, self._number, number, code))
        screen = _Screen(self._run, self._number, self._setting)
        result = await self._environment.execute(
            code,
            timeout_s=options.cell_timeout_s,
            on_output=screen.show,
            on_host_call=self._calls,
        )
        emit(
            CodeFinished(
                self._run,
                self._number,
                number,
                result.error is None,
                result.state,
                result.timed_out,
                result.duration_s,
                result.answer is not None,
                result.execution_count,
            )
        )
        self._setting.cell_finished(self._run, ok=result.error is None)
        return BlockReport(screen.output, result)

    async def _take_text(self, answer: TextAnswer, *, code_ran: bool) -> Outcome:
        """Take an answer that stood in the text.

        One that the session computes holds whenever it is computed. One in plain words that came
        together with code was written before the model could know what the code would show.
        """
        result = await self.evaluate(answer)
        if result.answer is None:
            return Outcome(None, describe_failed_answer(result))
        if code_ran and result.answer.source == "text":
            return Outcome(None, UNSEEN)
        return Outcome(result.answer)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a reply asks for. `notes` say what was lost where the reply was cut off."""

    reply: ParsedReply
    blocks: tuple[str, ...]
    text_answer: TextAnswer | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, completion: Completion) -> _Plan:
        reply = parse_reply(completion.text)
        blocks, notes = reply.blocks, (CUT_REPLY,) if completion.truncated else ()
        if completion.truncated and reply.unclosed and blocks:
            blocks, notes = blocks[:-1], (*notes, CUT_BLOCK)
        answer = find_text_answer(reply.prose)
        if answer is None and len(blocks) == 1:
            answer = as_text_answer(blocks[0])
            blocks = blocks if answer is None else ()
        if answer is not None and completion.truncated and not answer.closed:
            answer = None
        return cls(reply, blocks, answer, notes)


class _Screen:
    """Where a block's output goes: to whoever watches, and within limits to the model."""

    def __init__(self, run: str, turn: int, setting: Setting) -> None:
        self.output = ClippedText(setting.options.output_limit)
        self._run = run
        self._turn = turn
        self._emit = setting.emit
        self._room = _WATCHED_CHARACTERS
        self._rich_room = _WATCHED_RICH

    def show(self, kind: OutputKind, text: str, rich: RichOutput | None = None) -> None:
        self.output.write(text)
        if self._room <= 0:
            return
        shown, self._room = text[: self._room], self._room - len(text)
        self._emit(OutputWritten(self._run, self._turn, kind, shown, self._within_room(rich)))
        if self._room <= 0:
            self._emit(OutputWritten(self._run, self._turn, kind, _WATCHED_ENOUGH))

    def _within_room(self, rich: RichOutput | None) -> RichOutput | None:
        if rich is None:
            return None
        try:
            self._rich_room -= len(json.dumps(rich.content))
        except RecursionError:  # nested almost more deeply than could be read
            return None
        return rich if self._rich_room >= 0 else None
