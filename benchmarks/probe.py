"""Probes: what one of them looks at, and how two kernels' observations compare."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.contender import Contender, Exchange

Observe = Callable[[Contender], Any]
Check = Callable[[Any], bool]
Verdict = Literal["same", "better", "refused", "worse"]

ACCIDENTS = (
    (re.compile(r"0x[0-9a-f]{6,}"), "0x..."),
    (re.compile(r"(In|Out)( ?)\[\d+\]"), r"\1\2[N]"),
    (re.compile(r"\S*(ipykernel_\d+/|\()\d+\.py|\S*<ipython-input-[^>]*>"), "<cell>"),
    (re.compile(r"/\S*/site-packages/"), "site-packages/"),
    (re.compile(r"\x1b\[30;43m|\x1b\[39;49m"), ""),
)
"""What differs between two runs of one kernel, or by Python's version: how a cell's file is called,
where the libraries are, and which part of a line was at fault, which newer Pythons know."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Looks at one feature. What it observes is made of what JSON has.

    Where the two kernels differ, ours is better if it passes `better`, and has refused what a
    sandbox cannot do if it passes `refused`; `why` says it in a word.
    """

    topic: str
    name: str
    observe: Observe
    better: Check | None = None
    refused: Check | None = None
    why: str = ""

    def verdict(self, ours: Any, theirs: Any) -> Verdict:
        if ours == theirs:
            return "same"
        if self.better is not None and self.better(ours):
            return "better"
        return "refused" if self.refused is not None and self.refused(ours) else "worse"


class Probes:
    """The probes of one topic, in the order in which they are declared."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.all: list[Probe] = []

    def probe(
        self,
        name: str,
        *,
        better: Check | None = None,
        refused: Check | None = None,
        why: str = "",
    ) -> Callable[[Observe], Observe]:
        """Declares the decorated function as a probe."""

        def declare(observe: Observe) -> Observe:
            self.all.append(Probe(self.topic, name, observe, better, refused, why))
            return observe

        return declare

    def cell(
        self,
        name: str,
        *codes: str,
        better: Check | None = None,
        refused: Check | None = None,
        why: str = "",
    ) -> None:
        """Declares a probe that runs cells and looks at all that they show."""

        def observe(kernel: Contender) -> Any:
            return [shown(kernel.cell(code)) for code in codes]

        self.all.append(Probe(self.topic, name, observe, better, refused, why))


def shown(exchange: Exchange) -> list[Any]:
    """All that a cell shows, accidents apart; text of one stream in a row is one piece.

    Of an error, its traceback's last line stands for all of them.
    """
    pieces: list[Any] = [exchange.content["status"]]
    for message in exchange.published:
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            text = [content["name"], content["text"]]
            if pieces[-1][0] == text[0]:
                text[1] = pieces.pop()[1] + text[1]
            pieces.append(text)
        elif kind == "error":
            pieces.append([kind, content["ename"], tail(exchange)])
        elif kind not in ("status", "execute_input"):
            hidden = {"execution_count"}
            pieces.append([kind, {k: v for k, v in content.items() if k not in hidden}])
    return [settled(piece) for piece in pieces] + [settled(exchange.content.get("payload", []))]


def settled(value: Any) -> Any:
    """A copy without accidents."""
    if isinstance(value, str):
        for pattern, replacement in ACCIDENTS:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, Mapping):
        return {key: settled(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [settled(item) for item in value]
    return value


def kinds(exchange: Exchange) -> list[str]:
    """The types of what was published, statuses with their state."""
    return [
        message["content"].get("execution_state", message["msg_type"])
        for message in exchange.published
    ]


def only(content: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: content.get(name) for name in names}


def tail(exchange: Exchange) -> str:
    """The last line of the traceback that a cell shows, without colours."""
    errors = exchange.contents("error")
    text = errors[-1]["traceback"][-1].splitlines()[-1] if errors else "no error"
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
