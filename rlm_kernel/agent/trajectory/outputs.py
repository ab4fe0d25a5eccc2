"""What a block shows, as the outputs of a notebook's cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlm_kernel.agent.events import OutputWritten
from rlm_kernel.agent.trajectory.room import Room

Output = dict[str, Any]

_STREAMS = ("stdout", "stderr")
_PLAIN = "text/plain"


class Displays:
    """The displays of a run that have an id: later code, of any block, may change them."""

    def __init__(self) -> None:
        self._shown: dict[str, list[Output]] = {}

    def add(self, display_id: str, output: Output) -> None:
        """Remember what is shown under an id."""
        self._shown.setdefault(display_id, []).append(output)

    def update(self, display_id: str, data: Any, metadata: Any) -> None:
        """Change all that is shown under an id."""
        for output in self._shown.get(display_id, ()):
            output["data"], output["metadata"] = data, metadata


class CellOutputs:
    """Makes nbformat's outputs of the pieces in which they come: streams are joined, displays
    updated, and what the code clears is gone."""

    def __init__(self, room: Room, displays: Displays) -> None:
        self._room = room
        self._displays = displays
        self._outputs: list[Output] = []
        self._clears_next = False
        self._ended = False  # the last stream: there was no room for more of it
        self._cut_before = room.cut

    @property
    def cut(self) -> int:
        """How many characters there was no room for."""
        return self._room.cut - self._cut_before

    def add(self, event: OutputWritten) -> None:
        """Take the next piece."""
        content = event.rich.content if event.rich is not None else None
        if event.kind == "clear":
            self._clears_next = bool(content and content.get("wait"))
            if not self._clears_next:
                self._outputs.clear()
            return
        if self._clears_next:
            self._outputs.clear()
            self._clears_next = False
        if event.kind in _STREAMS:
            self._write(event.kind, event.text)
        elif event.rich is None or content is None or self._room.value(content) is None:
            self._write("stderr" if event.kind == "error" else "stdout", event.text)
        else:
            self._publish(event.rich.message, content)

    def as_list(self) -> list[Output]:
        """The outputs so far."""
        return [
            {**output, "text": "".join(output["text"])}
            if output["output_type"] == "stream"
            else dict(output)
            for output in self._outputs
        ]

    def _write(self, name: str, text: str) -> None:
        last = self._outputs[-1] if self._outputs else {}
        if last.get("output_type") != "stream" or last["name"] != name:
            last = {"output_type": "stream", "name": name, "text": []}
            self._outputs.append(last)
            self._ended = False
        if self._ended:
            self._room.cut += len(text)
        elif self._room.takes(len(text)):
            last["text"].append(text)
        else:
            last["text"] = [self._room.more("".join(last["text"]), text)]
            self._ended = True

    def _publish(self, message: str, content: Mapping[str, Any]) -> None:
        if message == "error":
            fields = {key: content[key] for key in ("ename", "evalue", "traceback")}
            self._outputs.append({"output_type": "error", **fields})
            return
        data, metadata = content["data"], content.get("metadata", {})
        display_id = content.get("transient", {}).get("display_id")
        if message == "update_display_data":
            self._displays.update(str(display_id), data, metadata)
            return
        output: Output = {"output_type": message, "data": data, "metadata": metadata}
        if message == "execute_result":
            output["execution_count"] = content.get("execution_count")
        self._outputs.append(output)
        if display_id is not None:
            self._displays.add(str(display_id), output)
