"""Cells in which none of IPython's own syntax can be."""

from __future__ import annotations

import re

from IPython.core.inputtransformer2 import TransformerManager

SUSPICIOUS = re.compile(
    r"[%!?]|>>>|\.\.\.|In \[|^[,;/]"  # magics, commands, help and prompts
    r"|^[^\S\n]|\A(?!\S)"  # indented lines, and cells that begin with an empty one
    r"|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]"  # what ends a line, but not for tokenize
    r"|[\ud800-\udfff]",
    re.MULTILINE,
)
"""What IPython's transformers look for in cells, change or fail at, and more that looks like it."""


class CellTransformer(TransformerManager):
    """IPython's, which finds out sooner that there is nothing to do.

    Else a cell would be taken apart in Python, to its tokens, to look for what is not there. That
    takes longer than to run most cells.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known = self._transformers()

    def transform_cell(self, cell: str) -> str:
        if self._transformers() == self._known and not SUSPICIOUS.search(cell):
            return cell if cell.endswith("\n") else f"{cell}\n"
        transformed: str = super().transform_cell(cell)
        return transformed

    def _transformers(self) -> list[object]:
        """All that there are now: users add their own."""
        return [*self.cleanup_transforms, *self.line_transforms, *self.token_transformers]
