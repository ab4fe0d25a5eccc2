"""How much a cell may still send, counted alike by the session and by its owner."""

from __future__ import annotations

COMM_MESSAGES = frozenset({"comm_open", "comm_msg", "comm_close"})
DISPLAYS = COMM_MESSAGES | {
    "display_data",
    "update_display_data",
    "execute_result",
    "clear_output",
}
"""The kinds of events that count as displays."""


class Budget:
    """Bytes left of text, in UTF-8, and of displays, by the weight of their frames.

    What takes more than is left leaves less than none, and nothing more may be taken then.
    """

    def __init__(self, output_bytes: int, display_bytes: int) -> None:
        self.output_bytes = output_bytes
        self.display_bytes = display_bytes
        self.renew()

    def renew(self) -> None:
        """A cell begins."""
        self.text_left = self.output_bytes
        self.display_left = self.display_bytes

    def take_text(self, text: str) -> None:
        self.text_left -= len(text) if text.isascii() else len(encoded(text))

    def take_display(self, weight: int) -> None:
        self.display_left -= weight


def encoded(text: str) -> bytes:
    """The bytes that a text counts by."""
    return text.encode("utf-8", "replace")
