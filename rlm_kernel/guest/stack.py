"""What is on the stack when an interrupt comes: the user's code, the session's, or the loop's."""

from __future__ import annotations

import asyncio
from types import FrameType, TracebackType
from typing import Any

_CALL_BY_LOOP = asyncio.Handle._run.__code__


class Stack:
    """The frames of the callback or task step that runs; none where the loop itself runs."""

    def __init__(self, frame: FrameType | None) -> None:
        self._frames: list[FrameType] = []
        while frame is not None and frame.f_code is not _CALL_BY_LOOP:
            self._frames.append(frame)
            frame = frame.f_back
        if frame is None:
            self._frames = []

    @property
    def is_machinery(self) -> bool:
        """Whether nothing but asyncio runs."""
        return all(_is_of(frame, "asyncio") for frame in self._frames)

    @property
    def is_own(self) -> bool:
        """Whether the session's own code was called, which may have called the user's."""
        return bool(self._frames) and is_own(self._frames[-1])

    def uses(self, namespace: dict[str, Any]) -> bool:
        """Whether code of this namespace runs."""
        return any(frame.f_globals is namespace for frame in self._frames)


def is_own(frame: FrameType) -> bool:
    """Whether this is code of the session's."""
    return _is_of(frame, __package__ or "")


def cut_own_end(traceback: TracebackType | None) -> None:
    """Ends a traceback where the session's own code was called."""
    while traceback is not None:
        if traceback.tb_next is not None and is_own(traceback.tb_next.tb_frame):
            traceback.tb_next = None
        traceback = traceback.tb_next


def _is_of(frame: FrameType, package: str) -> bool:
    module = str(frame.f_globals.get("__name__"))
    return module == package or module.startswith(f"{package}.")
