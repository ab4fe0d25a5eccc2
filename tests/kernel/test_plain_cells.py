"""Cells that are taken for plain Python without a look at their tokens, against IPython itself."""

from __future__ import annotations

from tests.kernel.peer import Peer

COMPARE = r"""
import random, warnings
from IPython.core.inputtransformer2 import TransformerManager
from rlm_kernel.guest.plain_cells import SUSPICIOUS, CellTransformer

PIECES = [
    "a", "x = 1", "f(", ")", "[", "]", "=", ",", "/", ";", "%", "!", "?", "??", "%%", "'", '"',
    "f'{", "}", "#", "\\", "\n", "\n\n", " ", "\t", "\f", "\r", "\r\n", "\v", "\x1c", "\x85",
    "\u2028", "\0", "\ud800", "é", "if x:", "def f():\n  y\n", "\n    z", "\n z", "await g()",
    ">>> ", "... ", "In [1]: ", "1_0", "0x", "1e", "$", "`", "ls", ", a b", "/f x", "%time x",
    "a = %pwd", "!ls", "a = !ls", "x?", "return", ":", "->", "**", "\\\n", "print('50%')", "\xa0",
    "'''", "\u2003\n", "\n\xa0\n", "...: x", "[nav] In [2]: y", "",
]

def outcome(manager, cell):
    try:
        return manager.transform_cell(cell)
    except Exception as error:
        return type(error), str(error)

plain = 0
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for number in range(800):
        draw = random.Random(number)
        cell = "".join(draw.choices(PIECES, k=draw.randint(1, 7)))
        ours, theirs = outcome(CellTransformer(), cell), outcome(TransformerManager(), cell)
        assert ours == theirs, (cell, ours, theirs)
        plain += not SUSPICIOUS.search(cell)
plain > 80
"""


def test_a_cell_becomes_what_ipython_makes_of_it(peer: Peer) -> None:
    exchange = peer.execute(COMPARE)
    assert exchange.content["status"] == "ok", exchange.content
    assert exchange.contents("execute_result")[0]["data"]["text/plain"] == "True"


def test_clean_ups_of_the_users_own_see_every_cell(peer: Peer) -> None:
    own = "lambda lines: ['y = 3\\n', *lines]"
    peer.execute(f"get_ipython().input_transformers_cleanup.append({own})")
    assert peer.execute("y").contents("execute_result")[0]["data"]["text/plain"] == "3"


def test_transformers_of_the_users_own_see_every_cell(peer: Peer) -> None:
    peer.execute(
        "from IPython.core.inputtransformer2 import TokenTransformBase\n"
        "class Doubled(TokenTransformBase):\n"
        "    @classmethod\n"
        "    def find(cls, lines):\n"
        "        if lines[0][0].string == 'x': return cls(lines[0][0].start)\n"
        "    def transform(self, lines): return ['y = 2\\n']\n"
        "get_ipython().input_transformer_manager.token_transformers.append(Doubled)"
    )
    peer.execute("x = 1")
    assert peer.execute("y").contents("execute_result")[0]["data"]["text/plain"] == "2"
