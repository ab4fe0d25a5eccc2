"""The steps of a run, shown to a person while they happen."""

from __future__ import annotations

import os
import re
import sys
from typing import TextIO

from rlm_kernel.agent.events import (
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
from rlm_kernel.agent.fences import parse_reply

_BOLD, _DIM, _CODE, _ERROR, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[31m", "\x1b[0m"
_SHOWN_OUTPUT = 4_000
_PREVIEW = 90
# What a session prints must not steer the terminal of whoever watches.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class StepPrinter:
    """Prints events to `stream` (stderr by default), in colours where that is a terminal.

    Of each block's output it shows the first 4,000 characters.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._colours = self._stream.isatty() and not os.environ.get("NO_COLOR")
        self._room = _SHOWN_OUTPUT
        self._in_line = False
        self._broke_line = False

    def show(self, event: Event) -> None:
        """Print what happened."""
        margin = "    " * event.depth
        match event:
            case TurnStarted():
                forced = event.turn > event.turns
                title = "last answer" if forced else f"turn {event.turn} of {event.turns}"
                self._line(f"{margin}── {title} ──", _BOLD)
            case ModelReplied():
                self._lines(parse_reply(event.text).prose.strip(), margin, _DIM)
            case CodeStarted():
                self._room = _SHOWN_OUTPUT
                self._lines(event.code, f"{margin}▌ ", _CODE)
            case OutputWritten():
                self._output(event, f"{margin}  ")
            case CodeFinished():
                self._finished(event, margin)
            case SubCallStarted():
                self._line(
                    f"{margin}→ {event.call} {event.function}: {_preview(event.prompt)}", _DIM
                )
            case SubCallFinished():
                self._outcome(event.call, event.reply, event.error, event.duration_s, margin)
            case ToolCallStarted():
                self._line(
                    f"{margin}→ {event.call} {event.tool}({_preview(event.arguments)})", _DIM
                )
            case ToolCallFinished():
                self._outcome(event.call, event.value, event.error, event.duration_s, margin)
            case AnswerGiven() if event.depth == 0:
                turns = f"{event.turns} turn" + ("s" if event.turns > 1 else "")
                reason = ", forced because no turns were left" if event.forced else ""
                self._line(f"── answer after {turns}{reason} ──", _BOLD)
            case _:
                return

    def say(self, line: str) -> None:
        """Print a line that is no event."""
        self._line(line, _DIM)

    def _output(self, event: OutputWritten, margin: str) -> None:
        shown, self._room = event.text[: max(0, self._room)], self._room - len(event.text)
        if not shown:
            return
        colour = _ERROR if event.kind in ("stderr", "error") else ""
        pieces = _CONTROL.sub("", shown).split("\n")
        if self._broke_line and len(pieces) > 1 and not pieces[0]:
            pieces = pieces[1:]  # the line that was broken off ends here
        self._broke_line = False
        for number, piece in enumerate(pieces):
            if number:
                self._write("\n")
                self._in_line = False
            if piece:
                self._write(("" if self._in_line else margin) + self._coloured(piece, colour))
                self._in_line = True
        if self._room <= 0:
            self._line(f"{margin}[more output is not shown here]", _DIM)

    def _finished(self, event: CodeFinished, margin: str) -> None:
        facts = [f"{event.duration_s:.1f} s"]
        facts += ["stopped: it took too long"] if event.timed_out else []
        facts += [f"the session's variables: {event.state}"] if event.state != "kept" else []
        self._line(f"{margin}  ({', '.join(facts)})", _DIM if event.ok else _ERROR)

    def _outcome(
        self, call: int, value: str | None, error: str | None, duration_s: float, margin: str
    ) -> None:
        text = f"failed: {error}" if value is None else value
        colour = _ERROR if value is None else _DIM
        self._line(f"{margin}← {call} ({duration_s:.1f} s) {_preview(text)}", colour)

    def _lines(self, text: str, margin: str, colour: str) -> None:
        for line in text.splitlines():
            self._line(f"{margin}{_CONTROL.sub('', line)}", colour)

    def _line(self, text: str, colour: str) -> None:
        start = "\n" if self._in_line else ""
        self._broke_line = self._broke_line or self._in_line
        self._in_line = False
        self._write(f"{start}{self._coloured(text, colour)}\n")

    def _coloured(self, text: str, colour: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._colours and colour else text

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _preview(text: str) -> str:
    line = " ".join(_CONTROL.sub(" ", text[: _PREVIEW * 4]).split())
    return line if len(line) <= _PREVIEW else f"{line[: _PREVIEW - 1]}…"
