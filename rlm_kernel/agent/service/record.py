"""What is kept of a run: its steps, as they were told, and its trajectory."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Iterable
from typing import Any

from rlm_kernel.agent.events import Event
from rlm_kernel.agent.trajectory import Recorder, Trajectory
from rlm_kernel.errors import RunNotFound
from rlm_kernel.http.messages import Wire, as_json

_SHARE_OF_BEGINNING = 0.5
_SHARE_OF_CONTEXT = 4


class Record:
    """Steps in their order, at most about `limit` bytes of them, and as much of a trajectory.

    Where there are more steps, those of the middle are dropped: the beginning says what was asked,
    and the end what came of it. `size` is how many bytes are kept.
    """

    def __init__(self, limit: int, secrets: Iterable[str]) -> None:
        self._limit = limit
        self._steps: list[tuple[str, bytes]] = []
        self._steps_size = 0
        self._fixed = 0
        self._recorder: Recorder | None = Recorder(
            secrets, characters=limit, context_bytes=limit // _SHARE_OF_CONTEXT
        )
        self._archived = b""
        self.dropped = 0

    @property
    def size(self) -> int:
        return self._steps_size + len(self._archived)

    def add(self, name: str, message: Wire) -> None:
        """A step, as it is told."""
        data = as_json(message)
        self._steps.append((name, data))
        self._steps_size += len(data)
        if self._steps_size <= self._limit * _SHARE_OF_BEGINNING:
            self._fixed = len(self._steps)
        while self._steps_size > self._limit and len(self._steps) > self._fixed + 1:
            self._steps_size -= len(self._steps.pop(self._fixed)[1])
            self.dropped += 1

    def take(self, event: Event) -> None:
        """What happened, for the trajectory."""
        if self._recorder is not None:
            self._recorder.take(event)

    def steps(self) -> list[dict[str, Any]]:
        return [{"event": name, "data": json.loads(data)} for name, data in self._steps]

    async def archive(self) -> None:
        """Keep the trajectory in little room: nothing more will be taken."""
        if (recorder := self._recorder) is not None:
            self._archived = await asyncio.to_thread(_packed, recorder)
            self._recorder = None

    async def trajectory(self) -> Trajectory:
        """Raises RunNotFound where the run never began."""
        packed = self._archived
        if self._recorder is not None:
            packed = await asyncio.to_thread(_packed, self._recorder)
        if not packed:
            raise RunNotFound("the run never began")
        return await asyncio.to_thread(_unpacked, packed)


def _packed(recorder: Recorder) -> bytes:
    trajectory = recorder.trajectory()
    return b"" if trajectory is None else zlib.compress(as_json(trajectory), 1)


def _unpacked(packed: bytes) -> Trajectory:
    return Trajectory.model_validate_json(zlib.decompress(packed))
