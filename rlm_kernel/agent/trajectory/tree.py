"""A trajectory as a tree of calls, for people at a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rlm_kernel.agent.fences import parse_reply
from rlm_kernel.agent.trajectory.text import shown_text
from rlm_kernel.agent.trajectory.trajectory import (
    Block,
    RecordedRun,
    RecordedTurn,
    SubCall,
    Trajectory,
)

WIDTH = 100

# What a session prints must not steer the terminal of whoever reads this.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
Branch = tuple[str, list["Branch"]]


def tree(trajectory: Trajectory, *, width: int = WIDTH) -> str:
    """Runs, turns, blocks and sub-calls, each in a line of at most `width` characters."""
    return "\n".join(_cut(line, width) for line in _lines(_run(trajectory.root))) + "\n"


def _lines(branch: Branch) -> Iterator[str]:
    yield branch[0]
    yield from _below(branch[1], "")


def _below(branches: list[Branch], margin: str) -> Iterator[str]:
    for number, (line, below) in enumerate(branches, 1):
        last = number == len(branches)
        yield f"{margin}{'└─' if last else '├─'} {line}"
        yield from _below(below, f"{margin}{'  ' if last else '│ '} ")


def _run(run: RecordedRun) -> Branch:
    told = {call.child for call in run.sub_calls}
    branches = [_turn(run, turn) for turn in run.turns]
    branches += [_run(child) for child in run.children if child.name not in told]
    return f"run {run.name} {_facts(_run_facts(run))}: {run.query}", [*branches, (_end(run), [])]


def _run_facts(run: RecordedRun) -> list[str]:
    seconds = [] if run.ended_at is None else [f"{run.ended_at - run.at:.1f} s"]
    return [run.model, f"context: {run.context.note}", *seconds]


def _end(run: RecordedRun) -> str:
    if run.answer is not None:
        forced = ", forced" if run.answer.forced else ""
        return f"answer ({run.answer.source}{forced}): {run.answer.text}"
    if run.failure is not None:
        return f"failed ({run.failure.code}): {run.failure.message}"
    return "it did not end"


def _turn(run: RecordedRun, turn: RecordedTurn) -> Branch:
    prose = "" if turn.reply is None else parse_reply(turn.reply).prose.strip()
    tokens = f"{turn.input_tokens:,} tokens in, {turn.output_tokens:,} out"
    facts = _facts([tokens, *_seconds(turn.duration_s)] if turn.reply is not None else ["no reply"])
    branches = [_block(run, block) for block in turn.blocks]
    return (
        f"turn {turn.number} {facts}" + (f": {prose}" if prose else ""),
        [*branches, *_calls(run, turn.sub_calls)],
    )


def _block(run: RecordedRun, block: Block) -> Branch:
    facts = [*_seconds(block.duration_s)]
    facts += [] if block.finished else ["it did not end"]
    facts += [] if block.ok is not False else ["failed"]
    facts += ["stopped: it took too long"] if block.timed_out else []
    facts += [f"variables {block.state}"] if block.state not in (None, "kept") else []
    shown = shown_text(block.outputs).strip()
    below = [*_calls(run, block.sub_calls), *([(f"shows {shown}", [])] if shown else [])]
    return f"block {block.number} {_facts(facts)}: {block.code.strip()}", below


def _calls(run: RecordedRun, calls: Iterable[SubCall]) -> list[Branch]:
    return [_call(run, call) for call in calls]


def _call(run: RecordedRun, call: SubCall) -> Branch:
    child = run.child_of(call)
    kind = "a tool" if call.is_tool else call.model
    line = f"{call.function} {_facts([kind, *_seconds(call.duration_s)])}: {call.prompt}"
    if child is not None:
        return line, [_run(child)]
    reply = f"replies {call.reply}" if call.reply is not None else f"fails: {call.error}"
    ended = call.reply is not None or call.error is not None
    return line, [(reply if ended else "it did not end", [])]


def _seconds(duration_s: float | None) -> list[str]:
    return [] if duration_s is None else [f"{duration_s:.1f} s"]


def _facts(facts: list[str]) -> str:
    return f"({', '.join(facts)})"


def _cut(line: str, width: int) -> str:
    clean = _CONTROL.sub(" ", line)
    return clean if len(clean) <= width else f"{clean[: width - 1]}…"
