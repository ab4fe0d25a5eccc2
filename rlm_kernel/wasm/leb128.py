"""LEB128, the variable-length integers of the WebAssembly binary format, as they are written."""

from __future__ import annotations


def unsigned(value: int) -> bytes:
    """The shortest unsigned LEB128 of `value`, which must not be negative."""
    if value < 0x80:
        return bytes((value,))
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def signed(value: int) -> bytes:
    """The shortest signed LEB128 of `value`."""
    encoded = bytearray()
    while not -0x40 <= value < 0x40:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value & 0x7F)
    return bytes(encoded)
