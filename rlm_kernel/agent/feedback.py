"""What the model is told after its turn: what its code showed, and the truth about its session."""

from __future__ import annotations

from dataclasses import dataclass

from rlm_kernel.agent.clipping import ClippedText
from rlm_kernel.agent.environment import CellResult
from rlm_kernel.agent.fences import ParsedReply

NO_CODE = (
    "Your reply had no code and no answer. Write Python code in a ```python block, "
    "or give your answer with FINAL(...)."
)
OTHER_LANGUAGE = (
    "Your reply had a block of {language}, which is not run here. Write Python code in a "
    "```python block, or give your answer with FINAL(...)."
)
NO_OUTPUT = "(The code ran and printed nothing. Use print() to see a value.)"
UNSEEN = (
    "You wrote FINAL(...) together with code whose output you had not yet seen, so it was not "
    "taken. If it still is your answer, write FINAL(...) again, without code."
)
MISMATCH = (
    "Your answer was not taken, because it is not of the form that was asked for:\n{problems}\n"
    "The session and its variables are as they were. Give the answer again in the right form."
)
CUT_REPLY = "Your reply was cut off because it was too long. Write shorter replies."
CUT_BLOCK = "Its last block of code is incomplete and was not run."
ROLLED_BACK = (
    "The code had to be killed. What it did is undone: the variables are those of a copy from "
    "before it, as the error says."
)
LOST = (
    "The session had to be started anew. All variables, functions and imports of yours are gone; "
    "`context` is loaded again."
)
TIMED_OUT = "The code was stopped because it took longer than {seconds:g} seconds."
INTERRUPTED = "Variables it had assigned by then are kept."
NO_INPUT = "input() is not possible here: nobody is there to type. The code was stopped."
REPEATED = "You have given this same reply before. Try something else."
TURNS_LEFT = "You have {turns} turns left."
LAST_TURN = "This is your last turn: give your answer with FINAL(...)."
FORCED = (
    "You have no turns left, and no more code will run. "
    "Give your answer now, from what you have seen, as FINAL(your answer)."
)


@dataclass(frozen=True, slots=True)
class BlockReport:
    """A block that ran: what it showed, within limits, and what became of it."""

    output: ClippedText
    result: CellResult


def describe_blocks(reports: list[BlockReport], blocks: int, timeout_s: float) -> str:
    """The message about the blocks of a reply that ran, `blocks` of which it had."""
    parts: list[str] = []
    for number, report in enumerate(reports, 1):
        title = "Output:" if blocks == 1 else f"Output of block {number} of {blocks}:"
        parts.append(f"{title}\n{_describe(report, timeout_s)}")
    if len(reports) < blocks:
        left = "block was" if blocks - len(reports) == 1 else "blocks were"
        reason = "failed" if reports[-1].result.error else "gave an answer"
        parts.append(
            f"The other {blocks - len(reports)} {left} not run, because this one {reason}."
        )
    return "\n\n".join(parts)


def describe_missing_code(reply: ParsedReply) -> str:
    """The message about a reply with neither code nor an answer."""
    if reply.skipped:
        return OTHER_LANGUAGE.format(language=reply.skipped[0])
    return NO_CODE


def describe_failed_answer(result: CellResult) -> str:
    """The message about a textual answer that the session could not work out."""
    reason = "it has no value" if result.error is None else ": ".join(result.error)
    return f"Your answer could not be taken: {reason}"


def describe_turns_left(turns: int) -> list[str]:
    """A warning for the last turns; nothing before them."""
    if turns > 3:
        return []
    return [LAST_TURN if turns == 1 else TURNS_LEFT.format(turns=turns)]


def _describe(report: BlockReport, timeout_s: float) -> str:
    shown = str(report.output).rstrip("\n")
    notes = _notes(report, timeout_s)
    if not shown and not notes:
        return NO_OUTPUT
    return "\n".join([*([shown] if shown else []), *notes])


def _notes(report: BlockReport, timeout_s: float) -> list[str]:
    result = report.result
    notes: list[str] = []
    if result.error is not None and result.error[0] not in str(report.output):
        notes.append(": ".join(result.error))
    if result.asked_for_input:
        notes.append(NO_INPUT)
    if result.timed_out:
        notes.append(TIMED_OUT.format(seconds=timeout_s))
    if result.state == "lost":
        notes.append(LOST)
    elif result.state == "rolled_back":
        notes.append(ROLLED_BACK)
    elif result.timed_out:
        notes.append(INTERRUPTED)
    return notes
