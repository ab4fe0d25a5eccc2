"""Cells in which none of IPython's own syntax can be."""

from __future__ import annotations

import re

from IPython.core.inputtransformer2 import (
    EscapedCommand,
    HelpEnd,
    MagicAssign,
    SystemAssign,
    TransformerManager,
)

KNOWN = [MagicAssign, SystemAssign, EscapedCommand, HelpEnd]

SUSPICIOUS = re.compile(
    r"[%!?]|^[,;/]|^[ \t]|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029\ud800-\udfff]", re.MULTILINE
)
"""What those look for: `%`, `!` and `?` anywhere, and some more where a line begins. Left to them
is what they may fail at, too: indented lines, line ends unknown to tokenize, half surrogates."""


class CellTransformer(TransformerManager):
    """IPython's, which finds out sooner that there is nothing to do.

    Else a cell would be tokenized in Python to look for what is not there, which takes longer than
    to run most cells.
    """

    def do_token_transforms(self, lines: list[str]) -> list[str]:
        if self.token_transformers == KNOWN and not SUSPICIOUS.search("".join(lines)):
            return lines
        transformed: list[str] = super().do_token_transforms(lines)
        return transformed
