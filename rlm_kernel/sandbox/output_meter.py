"""The wall for what a cell may send: output and displays have their limits, and all else too.

The guest stops by itself once it has sent more than it may, which makes a flood cheap. Code that
writes frames of its own does not, and is held here.
"""

from __future__ import annotations

from collections.abc import Iterator

from rlm_kernel.guest.budget import DISPLAYS, Budget, encoded
from rlm_kernel.sandbox.events import Event
from rlm_kernel.sandbox.limits import Limits

OTHER_BYTES = 16 << 20
"""For errors, questions and what else is neither output nor display; an answer makes new room."""

OUTPUT_CUT = (
    "\n[rlm-kernel: the output of one cell is limited to {:,} bytes (RLM_KERNEL_OUTPUT_BYTES); "
    "the rest is not shown]\n"
)
DISPLAY_CUT = (
    "\n[rlm-kernel: what one cell displays is limited to {:,} bytes (RLM_KERNEL_DISPLAY_BYTES); "
    "the rest is not shown]\n"
)


class OutputMeter:
    """Lets the events of a cell through until they are too many; a notice then says so, once."""

    def __init__(self, limits: Limits) -> None:
        self._budget = Budget(limits.output_bytes, limits.display_bytes)
        self.begin()

    @property
    def exceeded(self) -> bool:
        """Whether anything was held back since `begin`."""
        return min(self._budget.text_left, self._budget.display_left, self._other_left) < 0

    def begin(self) -> None:
        """A cell begins."""
        self._budget.renew()
        self.answered()

    def answered(self) -> None:
        """A question of the cell was answered."""
        self._other_left = OTHER_BYTES

    def admit(self, event: Event, weight: int) -> Iterator[Event]:
        """What is to be passed on of an event."""
        if event.kind == "stream":
            return self._admit_text(event)
        if event.kind in DISPLAYS:
            return self._admit_display(event, weight)
        return self._admit_other(event, weight)

    def _admit_text(self, event: Event) -> Iterator[Event]:
        """Text alone: other fields and buffers, which only a forged frame has, would be free."""
        left, text = self._budget.text_left, str(event.content["text"])
        if left < 0:
            return
        name = str(event.content["name"])
        self._budget.take_text(text)
        if self._budget.text_left >= 0:
            yield _stream(event, name, text)
            return
        if fitting := encoded(text)[:left].decode(errors="ignore"):
            yield _stream(event, name, fitting)
        yield _stream(event, name, OUTPUT_CUT.format(self._budget.output_bytes))

    def _admit_display(self, event: Event, weight: int) -> Iterator[Event]:
        if self._budget.display_left < 0:
            return
        self._budget.take_display(weight)
        if self._budget.display_left >= 0:
            yield event
        else:
            yield _stream(event, "stderr", DISPLAY_CUT.format(self._budget.display_bytes))

    def _admit_other(self, event: Event, weight: int) -> Iterator[Event]:
        self._other_left -= weight
        if self._other_left >= 0:
            yield event


def _stream(event: Event, name: str, text: str) -> Event:
    return Event("stream", event.request_id, {"name": name, "text": text})
