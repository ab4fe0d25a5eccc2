"""The official library's callbacks, told of what the events of a run say."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rlm_kernel.agent.events import (
    AnswerGiven,
    Event,
    RunFailed,
    SubCallFinished,
    SubCallStarted,
    TurnStarted,
)

_PREVIEW = 80
_log = logging.getLogger(__name__)

SubCallStart = Callable[[int, str, str], None]
SubCallComplete = Callable[[int, str, float, str | None], None]
IterationStart = Callable[[int, int], None]
IterationComplete = Callable[[int, int, float], None]


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What to call. Depths count from `depth`, that of the root run; iterations from 1.

    A child run starts and completes a sub-call: (depth, model, the task's first 80 characters), and
    (depth, model, seconds, the reason where it failed). A turn starts and completes an iteration:
    (depth, number), and (depth, number, seconds). They are called within the event loop of the
    run. What one of them raises is logged as a warning, and the run goes on.
    """

    depth: int = 0
    on_subcall_start: SubCallStart | None = None
    on_subcall_complete: SubCallComplete | None = None
    on_iteration_start: IterationStart | None = None
    on_iteration_complete: IterationComplete | None = None

    def watcher(self) -> Callable[[Event], None]:
        """What is to be told of all events of one tree of runs."""
        return _Watcher(self).see


@dataclass(slots=True)
class _Watcher:
    callbacks: Callbacks
    children: dict[int, str] = field(default_factory=dict)
    turns: dict[str, TurnStarted] = field(default_factory=dict)

    def see(self, event: Event) -> None:
        match event:
            case SubCallStarted() if event.child is not None:
                self._start_child(event)
            case SubCallFinished() if event.call in self.children:
                self._complete_child(event)
            case TurnStarted():
                self._complete_turn(event)
                self.turns[event.run] = event
                _call(self.callbacks.on_iteration_start, self._depth(event), event.turn)
            case AnswerGiven() | RunFailed():
                self._complete_turn(event)

    def _depth(self, event: Event) -> int:
        return self.callbacks.depth + event.depth

    def _start_child(self, event: SubCallStarted) -> None:
        self.children[event.call] = event.model
        start, depth = self.callbacks.on_subcall_start, self._depth(event) + 1
        _call(start, depth, event.model, event.prompt[:_PREVIEW])

    def _complete_child(self, event: SubCallFinished) -> None:
        model = self.children.pop(event.call)
        complete, depth = self.callbacks.on_subcall_complete, self._depth(event) + 1
        _call(complete, depth, model, event.duration_s, event.error)

    def _complete_turn(self, event: Event) -> None:
        turn = self.turns.pop(event.run, None)
        if turn is not None:
            complete = self.callbacks.on_iteration_complete
            _call(complete, self._depth(event), turn.turn, event.at - turn.at)


def _call(callback: Callable[..., None] | None, *arguments: Any) -> None:
    if callback is None:
        return
    try:
        callback(*arguments)
    except Exception:
        _log.warning("a callback failed", exc_info=True)
