"""The number of the next cell's prompt, which makes its `execute_input` known in advance.

A session says with each reply what its next cell will be. Its owner then tells of that cell while
the session begins with it, and the session, whose time is dearer, only does where it differs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rlm_kernel.guest.frames import Frame
from rlm_kernel.guest.prompt_fields import NEXT_COUNT, TOLD_COUNT
from rlm_kernel.sandbox.events import Event


class Prompt:
    """What a process has said of its next cell; of another process it says nothing."""

    def __init__(self) -> None:
        self._process: object = None
        self._number: int | None = None

    def note(self, process: object, content: dict[str, Any]) -> None:
        """Takes out of a reply's content what is for nobody else."""
        number = content.pop(NEXT_COUNT, None)
        self._process, self._number = process, number if type(number) is int else None

    def announce(self, process: object, frame: Frame) -> tuple[Frame, Event | None]:
        """The frame as it is to be sent, and the event to tell of once it was, if any."""
        if process is not self._process or self._number is None or not _shows_input(frame):
            return frame, None
        told = {"code": frame.content["code"], "execution_count": self._number}
        event = Event("execute_input", frame.request_id, told)
        return replace(frame, content={**frame.content, TOLD_COUNT: self._number}), event


def _shows_input(frame: Frame) -> bool:
    is_cell = frame.kind == "execute_request" and isinstance(frame.content.get("code"), str)
    return is_cell and not frame.content.get("silent", False)
