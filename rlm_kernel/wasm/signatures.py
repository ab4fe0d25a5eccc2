"""The types of the blocks that catch: what they take from the stack and leave there."""

from __future__ import annotations

from typing import Final

from rlm_kernel.wasm.control import Control
from rlm_kernel.wasm.reader import Reader
from rlm_kernel.wasm.types import (
    EXNREF,
    FunctionType,
    TypeTable,
    ValueTypes,
    encode_block_type,
    read_block_type,
)

MAX_ADDED_BYTES: Final = 16 << 20
"""How much the type section may grow: no real module needs more than a few hundred bytes."""


class Signatures:
    """The types of a module and of its tags, and the block types made of them."""

    def __init__(self, types: TypeTable, tags: tuple[int, ...]) -> None:
        self.types = types
        self._tags = tags
        self._blocks: dict[tuple[bytes, int | None, bool], bytes] = {}

    def params(self, function_type: int) -> int | None:
        """How many parameters a function of this type has; None if there is no such type."""
        kind = self.types.function(function_type)
        return None if kind is None else len(kind.params)

    def catching(
        self, reader: Reader, opening: Control, position: int, tag: int | None, exception: bool
    ) -> bytes:
        """The immediate of a block around the try `opening`, where a catch that stands at
        `position` leaves the tag's values, if a tag is given, and then the exception, if wanted.

        Raises MalformedModule if there is no such type or tag.
        """
        block_type = reader.data[opening.start + 1 : opening.end]
        key = (block_type, tag, exception)
        known = self._blocks.get(key)
        if known is None:
            at = Reader(block_type, base=reader.base + opening.start + 1)
            params = read_block_type(at, self.types).params
            values = () if tag is None else self._tag_values(reader, position, tag)
            results = (*values, EXNREF) if exception else values
            known = encode_block_type(FunctionType(params, results), self.types)
            self._blocks[key] = known
            if len(self.types.added) > MAX_ADDED_BYTES:
                reader.fail("the catches need too many types", position)
        return known

    def _tag_values(self, reader: Reader, position: int, tag: int) -> ValueTypes:
        kind = self.types.function(self._tags[tag]) if tag < len(self._tags) else None
        if kind is None:
            reader.fail(f"no tag {tag}", position)
        return kind.params
