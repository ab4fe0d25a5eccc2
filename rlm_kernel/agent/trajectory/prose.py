"""What a run's notebook says in words: markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from rlm_kernel.agent.fences import parse_reply
from rlm_kernel.agent.trajectory.text import shown_text
from rlm_kernel.agent.trajectory.trajectory import (
    Block,
    RecordedRun,
    RecordedTurn,
    SubCall,
    Trajectory,
)

_FENCES = re.compile(r"^\s*(`{3,})", re.MULTILINE)
_SHOWN = 2_000
_LISTED = 20

_HOW_TO = """\
To run it again, install the kernel (`rlm-kernel kernelspec install --user`), open this notebook \
with it and run all cells: it takes no model, no network and no agent, since the session's \
functions answer from the recording."""

_LATER = """

It was question {number} of a conversation. What the earlier ones left in the session is not in \
this notebook: code that uses it fails."""


def title(run: RecordedRun) -> str:
    """What the run was, and how to run it again."""
    when = datetime.fromtimestamp(run.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    facts = [
        ("Model", code(run.model)),
        ("Context", f"{code(run.context.type_name)}, {run.context.note}"),
        ("Begun", when),
        ("Outcome", _outcome(run)),
    ]
    table = "\n".join(f"| {name} | {cell(value)} |" for name, value in facts)
    head = "| | |\n| --- | --- |"
    later = _LATER.format(number=run.question) if run.question > 1 else ""
    return f"# A recorded run\n\n{quoted(run.query)}\n\n{head}\n{table}\n\n{_HOW_TO}{later}"


def turn(told: RecordedTurn) -> str:
    """A turn's heading, and what the model said beside its code."""
    if told.reply is None:
        return f"## Turn {told.number}\n\nThe model gave no reply."
    facts = f"{told.input_tokens:,} tokens in, {told.output_tokens:,} out"
    facts += "" if told.duration_s is None else f", {told.duration_s:.1f} s"
    words = parse_reply(told.reply).prose.strip()
    said = f"\n\n{quoted(words)}" if words else ""
    return f"## Turn {told.number}\n\n*{facts}*{said}"


def sub_calls(calls: Sequence[SubCall]) -> tuple[str, dict[str, dict[str, str]]]:
    """A table of sub-calls; the whole of each prompt and reply is an attachment."""
    rows = [_row(call) for call in calls[:_LISTED]]
    left = len(calls) - len(rows)
    more = f"\n\nand {left} more, which are among the attachments." if left else ""
    head = "| call | asked | prompt | reply |\n| --- | --- | --- | --- |"
    attachments = {name: text for call in calls for name, text in _attached(call).items()}
    return (
        f"**Sub-calls of the code below**\n\n{head}\n" + "\n".join(rows) + more,
        {name: {"text/plain": text} for name, text in attachments.items()},
    )


def interrupted(block: Block) -> str:
    """Why a cell is not to run again, and what became of its variables."""
    if not block.finished:
        return "*The run was stopped while this code ran. It does not run again here.*"
    reason = "The code was stopped because it took too long." if block.timed_out else ""
    fate = {
        "kept": "Variables it had assigned by then were kept; here they are missing.",
        "rolled_back": "What it did was undone: the session went back, as its error says.",
        "lost": "The session was started anew: all variables were gone.",
    }[block.state or "kept"]
    return f"*{' '.join(filter(None, (reason, fate)))} It does not run again here.*"


def ending(run: RecordedRun) -> str:
    """The answer, or why there is none."""
    if run.answer is not None:
        forced = (
            "\n\nThe model had used up its turns and was made to answer."
            if run.answer.forced
            else ""
        )
        return f"## Answer\n\n{quoted(run.answer.text)}{forced}"
    if run.failure is None:
        return "## No answer\n\nThe run was stopped before it had an answer."
    partial = run.failure.partial_answer
    best = f"\n\nThe best there was:\n\n{quoted(partial)}" if partial else ""
    return f"## No answer\n\n{quoted(run.failure.message)} ({code(run.failure.code)}){best}"


def children(run: RecordedRun) -> str:
    """The runs that it started: each had a session of its own, so their code is not in cells."""
    return "\n\n".join(
        ["## Child runs", *(part for child in run.children for part in _child(child))]
    )


def _cost(taken: dict[str, Any]) -> str:
    unpriced, money = taken.get("unpriced_calls", 0), f"${taken['cost_usd']:.4f}"
    if not unpriced:
        return money
    priced = taken["calls"] - taken["failed_calls"] - unpriced
    return f"{money} and {unpriced} unpriced" if priced else "unpriced"


def usage(run: RecordedRun, trajectory: Trajectory) -> str:
    """What all of it took."""
    taken = run.usage or {}
    facts = {
        "model calls": taken.get("calls"),
        "tokens in": taken.get("input_tokens"),
        "tokens out": taken.get("output_tokens"),
        "cost": _cost(taken) if "cost_usd" in taken else None,
        "turns": taken.get("turns"),
        "seconds": taken.get("seconds"),
    }
    rows = [f"| {name} | {value} |" for name, value in facts.items() if value is not None]
    table = "\n".join(["| | |", "| --- | --- |", *rows]) if rows else "Nothing was told of it."
    cut = (
        f"\n\n{trajectory.cut:,} characters of the run were too much to be recorded."
        if trajectory.cut
        else ""
    )
    return f"## What it took\n\n{table}{cut}"


def quoted(text: str) -> str:
    """Words of others, as a quotation in which nothing is markup."""
    return fenced(text, "text")


def fenced(text: str, language: str) -> str:
    """A fence that the text cannot end."""
    longest = max((len(each) for each in _FENCES.findall(text)), default=2)
    marks = "`" * (longest + 1)
    return f"{marks}{language}\n{text.rstrip()}\n{marks}"


def code(text: str) -> str:
    """Words as code within a line."""
    marks = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    return f"{marks}{text}{marks}"


def cell(text: str) -> str:
    """Text within a table."""
    return " ".join(text.split()).replace("|", "\\|")


def _outcome(run: RecordedRun) -> str:
    seconds = "" if run.ended_at is None else f" after {run.ended_at - run.at:.1f} s"
    turns = f"{len(run.turns)} turn" + ("s" if len(run.turns) != 1 else "")
    word = {"answered": "answered", "failed": "failed", "unfinished": "stopped"}[run.status]
    return f"{word}{seconds}, {turns}"


def _row(call: SubCall) -> str:
    reply = call.reply if call.reply is not None else f"failed: {call.error or 'it did not end'}"
    asked = ", ".join(filter(None, (code(call.function), cell(call.child or call.model))))
    links = ", ".join(f"[{name}](attachment:{name})" for name in _attached(call))
    return f"| {links} | {asked} | {_brief(call.prompt)} | {_brief(reply)} |"


def _brief(text: str) -> str:
    line = cell(text[:400])
    line = line if len(line) <= 100 and len(text) <= 400 else f"{line[:100]}…"
    return code(line)


def _attached(call: SubCall) -> dict[str, str]:
    texts = {"prompt": call.prompt, "reply": call.reply}
    return {f"{call.number}-{name}.txt": text for name, text in texts.items() if text is not None}


def _child(run: RecordedRun) -> Iterator[str]:
    yield f"### Run {run.name}\n\n{quoted(run.query)}\n\n{_outcome(run)}; {cell(run.context.note)}"
    for told in run.turns:
        yield turn(told).replace("## Turn", f"#### Run {run.name}, turn", 1)
        for block in told.blocks:
            shown = shown_text(block.outputs)
            short = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
            yield fenced(block.code, "python")
            yield fenced(short, "text") if short.strip() else "*It showed nothing.*"
    yield ending(run).replace("## ", f"#### Run {run.name}: ", 1)
    for child in run.children:
        yield from _child(child)
