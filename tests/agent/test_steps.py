"""Steps on a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest

from rlm_kernel.agent import (
    AnswerGiven,
    CodeFinished,
    CodeStarted,
    Event,
    ModelReplied,
    OutputWritten,
    SubCallFinished,
    SubCallStarted,
    ToolCallFinished,
    ToolCallStarted,
    TurnStarted,
)
from rlm_kernel.agent.steps import StepPrinter


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(*events: Event, stream: io.StringIO | None = None) -> str:
    out = stream or io.StringIO()
    printer = StepPrinter(out)
    for event in events:
        printer.show(event)
    return out.getvalue()


def test_a_run_reads_from_top_to_bottom() -> None:
    text = shown(
        TurnStarted("0", 1, 20),
        ModelReplied("0", 1, "Let me look.\n```python\nprint(1)\n```"),
        CodeStarted("0", 1, 1, "print(1)\nask()"),
        OutputWritten("0", 1, "stdout", "1\n"),
        OutputWritten("0", 1, "stdout", "half a"),
        SubCallStarted("0", 1, "llm_query", "m", "What is\nthis?"),
        SubCallFinished("0", 1, "A line", None, 1.25),
        OutputWritten("0", 1, "stdout", "\nnext\n"),
        CodeFinished("0", 1, 1, True, "kept", False, 0.5),
        AnswerGiven("0", "1", "FINAL", 1),
    )
    assert text == (
        "── turn 1 of 20 ──\n"
        "Let me look.\n"
        "▌ print(1)\n"
        "▌ ask()\n"
        "  1\n"
        "  half a\n"
        "→ 1 llm_query: What is this?\n"
        "← 1 (1.2 s) A line\n"
        "  next\n"
        "  (0.5 s)\n"
        "── answer after 1 turn ──\n"
    )


def test_what_went_wrong_is_said() -> None:
    text = shown(
        SubCallFinished("0", 1, None, "no luck", 1.0),
        CodeFinished("0", 1, 1, False, "lost", True, 3.0),
        TurnStarted("0", 21, 20),
        AnswerGiven("0", "1", "forced", 21, forced=True),
    )
    assert text == (
        "← 1 (1.0 s) failed: no luck\n"
        "  (3.0 s, stopped: it took too long, the session's variables: lost)\n"
        "── last answer ──\n"
        "── answer after 21 turns, forced because no turns were left ──\n"
    )


def test_a_child_run_is_indented() -> None:
    assert shown(TurnStarted("0.1", 1, 20), CodeStarted("0.1", 1, 1, "x")) == (
        "    ── turn 1 of 20 ──\n    ▌ x\n"
    )


def test_long_output_is_cut_once_per_block() -> None:
    text = shown(
        CodeStarted("0", 1, 1, "x"),
        OutputWritten("0", 1, "stdout", "a" * 3_999),
        OutputWritten("0", 1, "stdout", "bb"),
        OutputWritten("0", 1, "stdout", "c"),
    )
    assert text == f"▌ x\n  {'a' * 3_999}b\n  [more output is not shown here]\n"


def test_control_characters_never_reach_the_terminal() -> None:
    evil = "\x1b]0;title\x07\x9b2Jtext\r"
    text = shown(
        OutputWritten("0", 1, "stdout", evil + "\n"),
        CodeStarted("0", 1, 1, evil),
        SubCallStarted("0", 1, "llm_query", "m", evil),
        ModelReplied("0", 1, evil),
    )
    assert not set(text) & {"\x1b", "\x07", "\x9b", "\r"}


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    event = TurnStarted("0", 1, 2)
    assert shown(event, stream=Terminal()) == "\x1b[1m── turn 1 of 2 ──\x1b[0m\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert shown(event, stream=Terminal()) == shown(event) == "── turn 1 of 2 ──\n"


def test_tools_are_shown_with_what_they_were_given_and_gave() -> None:
    text = shown(
        ToolCallStarted("0", 3, "price", "'tea', count=2"),
        ToolCallFinished("0", 3, "4.5", None, 0.25),
        ToolCallStarted("0.1", 4, "price", "'x'"),
        ToolCallFinished("0.1", 4, None, "KeyError: x", 0.0),
    )
    assert text == (
        "→ 3 price('tea', count=2)\n"
        "← 3 (0.2 s) 4.5\n"
        "    → 4 price('x')\n"
        "    ← 4 (0.0 s) failed: KeyError: x\n"
    )
