"""Long texts cut down to what a model can read, with a note of exactly what is missing."""

from __future__ import annotations


class ClippedText:
    """Collects text of any length in bounded memory: the head and the tail within `limit`.

    `limit` counts characters of the text itself; the note of what was cut comes on top.
    """

    def __init__(self, limit: int) -> None:
        self._head_limit = limit - limit // 2
        self._tail_limit = limit // 2
        self._head = ""
        self._tail = ""
        self._total = 0

    @property
    def cut(self) -> int:
        """How many characters are missing."""
        return self._total - len(self._head) - len(self._tail)

    def write(self, text: str) -> None:
        """Append `text`."""
        self._total += len(text)
        room = self._head_limit - len(self._head)
        self._head += text[:room]
        self._tail = (self._tail + text[room:])[-self._tail_limit :] if self._tail_limit else ""

    def __str__(self) -> str:
        if not self.cut:
            return self._head + self._tail
        note = f"[... {self.cut:,} of {self._total:,} characters cut here ...]"
        return f"{self._head}\n{note}\n{self._tail}"


def clip(text: str, limit: int) -> str:
    """`text` within `limit` characters plus the note."""
    clipped = ClippedText(limit)
    clipped.write(text)
    return str(clipped)
