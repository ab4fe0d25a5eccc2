"""A cursor over WebAssembly bytes that never reads past its end."""

from __future__ import annotations

from typing import NoReturn

from rlm_kernel.errors import MalformedModule


class Reader:
    """Reads the primitives of the binary format from `data[position:end]`.

    `base` is the offset of `data[0]` in the module: errors name offsets in the module. Every
    method raises MalformedModule at bytes that break the format, and leaves `position` after
    what it read otherwise.
    """

    __slots__ = ("base", "data", "end", "position")

    def __init__(
        self, data: bytes, position: int = 0, end: int | None = None, *, base: int = 0
    ) -> None:
        self.data = data
        self.position = position
        self.end = len(data) if end is None else end
        self.base = base

    def fail(self, message: str, position: int | None = None) -> NoReturn:
        """Raises MalformedModule for `position` of `data`, by default the current one."""
        at = self.position if position is None else position
        raise MalformedModule(message, self.base + at)

    def at_end(self) -> bool:
        return self.position >= self.end

    def expect_end(self) -> None:
        if self.position != self.end:
            self.fail(f"{self.end - self.position} bytes left over")

    def byte(self) -> int:
        if self.position >= self.end:
            self.fail("unexpected end")
        value = self.data[self.position]
        self.position += 1
        return value

    def take(self, size: int) -> bytes:
        if size > self.end - self.position:
            self.fail(f"unexpected end: {size} bytes wanted, {self.end - self.position} left")
        start = self.position
        self.position += size
        return self.data[start : self.position]

    def u32(self) -> int:
        if self.position < self.end and self.data[self.position] < 0x80:
            return self.byte()
        return self._unsigned(32)

    def u64(self) -> int:
        return self._unsigned(64)

    def s32(self) -> int:
        return self._signed(32)

    def s33(self) -> int:
        return self._signed(33)

    def s64(self) -> int:
        return self._signed(64)

    def blob(self) -> bytes:
        """Bytes with their size in front."""
        return self.take(self.u32())

    def name(self) -> str:
        start = self.position
        encoded = self.blob()
        try:
            return encoded.decode()
        except UnicodeDecodeError:
            self.fail("a name is not UTF-8", start)

    def _unsigned(self, bits: int) -> int:
        start = self.position
        value = self._groups(bits)
        if value >> bits:
            self.fail(f"an integer exceeds {bits} bits", start)
        return value

    def _signed(self, bits: int) -> int:
        start = self.position
        value = self._groups(bits)
        width = 7 * (self.position - start)
        if value >> (width - 1):
            value -= 1 << width
        if not -(1 << bits - 1) <= value < 1 << bits - 1:
            self.fail(f"an integer exceeds {bits} bits", start)
        return value

    def _groups(self, bits: int) -> int:
        start = self.position
        value = shift = 0
        while (byte := self.byte()) >= 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift >= bits:
                self.fail(f"an integer is longer than {bits} bits need", start)
        return value | byte << shift
