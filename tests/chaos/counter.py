"""A cell that counts, and what a session may truly answer after each thing that happened to it."""

from __future__ import annotations

from typing import Any

COUNT = "try:\n    n += 1\nexcept NameError:\n    n = 0\nn"
UNSET = -1
"""The value before the first cell, to which a loss leads back."""


class Counter:
    """What is known of the counter in one session.

    It holds one of `_values`, and has held `_past` since the last loss. Cells whose sender hung up
    may count at any later time, or never, and what their answers told is not known. `losses` is how
    many ends of its process have shown.
    """

    def __init__(self) -> None:
        self.losses = 0
        self._strays = 0
        self.begin_anew()

    def copy(self) -> Counter:
        """That of a live copy of the session."""
        copy = Counter()
        copy._strays, copy._values, copy._past = self._strays, self._values, self._past
        return copy

    def begin_anew(self) -> None:
        self._values = self._past = {UNSET}

    def add_stray(self) -> None:
        """A cell was sent whose answer nobody hears."""
        self._strays += 1

    def check(self, answer: dict[str, Any]) -> None:
        """Raises AssertionError where nothing that may have happened explains a count's answer."""
        self.losses += answer["state"] != "kept"
        if answer["status"] == "ok":
            self._check_value(int(answer["result"]), answer["state"])
        else:
            self._check_death(answer)

    def check_overrun(self, answer: dict[str, Any]) -> None:
        """The same of a cell that runs until its time is over."""
        if answer["status"] == "timeout" and answer["error"]["ename"] == "KeyboardInterrupt":
            self.losses += answer["state"] != "kept"
            self._fall_back(answer["state"])
            return
        # It may have ignored the interrupt: the manager has killed it then.
        self.losses += answer["status"] != "timeout"
        self._check_death(answer)

    def _check_death(self, answer: dict[str, Any]) -> None:
        assert answer["error"]["ename"] == "SessionDied", answer
        assert answer["state"] in ("lost", "rolled_back"), answer
        if "in the state before this cell" not in answer["error"]["evalue"]:
            self._fall_back(answer["state"])

    def _fall_back(self, state: str) -> None:
        if state == "lost":
            self.begin_anew()
        elif state == "rolled_back":
            self._values = self._past

    def _check_value(self, value: int, state: str) -> None:
        self._fall_back(state)
        if value not in self._next() and self._strays:
            self.losses += state == "kept"
            self._values = self._past | {UNSET}
        assert value in self._next(), f"{value} ({state}), but it was {sorted(self._values)}"
        self._past = ({UNSET} if value == 0 else self._past) | {value}
        self._values = {value}

    def _next(self) -> set[int]:
        return {value + 1 + more for value in self._values for more in range(self._strays + 1)}
