"""The part of a file that a request asks for (RFC 9110, section 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rlm_kernel.errors import BadRequest, RangeNotSatisfiable

_ONE = re.compile(r"(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """From `first` to `last`, both included, or to the end; without `first` the last `last`."""

    first: int | None
    last: int | None

    def within(self, size: int) -> range:
        """The positions that a file of this size has of it. Raises RangeNotSatisfiable."""
        if self.first is None:
            found = range(max(0, size - (self.last or 0)), size)
        else:
            found = range(self.first, size if self.last is None else min(self.last + 1, size))
        if not found:
            raise RangeNotSatisfiable(f"the file has {size} bytes, and none of those", size)
        return found


def parse_range(header: str | None) -> ByteRange | None:
    """What a `Range` header asks for; nothing where the whole file is to be sent.

    That is so without the header, and for other units and several ranges, which a server need not
    know. Raises BadRequest for what is no range.
    """
    unit, _, ranges = (header or "").partition("=")
    if unit.strip().lower() != "bytes" or "," in ranges:
        return None
    match = _ONE.fullmatch(ranges.strip())
    first, last = (int(text) if text else None for text in match.groups()) if match else (None,) * 2
    if first is None and last is None:
        raise BadRequest(f"Range: {ranges[:80]!r} is no range of bytes")
    if first is not None and last is not None and last < first:
        raise BadRequest(f"Range: {ranges[:80]!r} ends before it begins")
    return ByteRange(first, last)
