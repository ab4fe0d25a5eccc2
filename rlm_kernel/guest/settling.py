"""Getting a warm interpreter ready to be shared by many forked copies.

A page that a copy writes to is copied for it, so nothing is to be written that need not be. Objects
that live as long as the process are made immortal, which ends the counting of references to them
(PEP 683), and are kept from the garbage collector. And what a copy allocates is to lie together, in
pages of its own, and not in holes all over the heap.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from functools import partial
from types import CodeType
from typing import Any

OBJECTS_AT_ONCE = 1000

LARGE_BLOCK = 1 << 20
BLOCK_SIZES = (*(1 << exponent for exponent in range(19, 10, -1)), *range(1024, 0, -8))
BLOCKS: tuple[Callable[[], object], ...] = (
    *(partial(bytes, size) for size in BLOCK_SIZES),
    partial(float, "0.5"),
    object,
)
"""Makers of blocks, ever smaller ones; the last two are smaller than any bytes."""

_filling: list[object] = []


def settle(make_immortal: Callable[[list[int]], None]) -> None:
    """Prepares all objects that are in use now. `make_immortal` gets their addresses in parts."""
    gc.collect()
    settle_new(make_immortal)


def settle_new(make_immortal: Callable[[list[int]], None]) -> None:
    """Prepares those made since then, among which no garbage is looked for."""
    tracked = gc.get_objects()
    for start in range(0, len(tracked), OBJECTS_AT_ONCE):
        objects: Iterable[Any] = tracked[start : start + OBJECTS_AT_ONCE]
        while addresses := list(map(id, objects)):
            make_immortal(addresses)
            objects = [part for part in _parts(objects) if not gc.is_tracked(part)]
    gc.freeze()


def fill_holes() -> None:
    """Takes what is free of the heap below the first place that has room for a large block.

    What is in use should be frozen before: the collector is run, for what the interpreter keeps of
    objects that are gone.
    """
    gc.collect()
    place = id(bytes(LARGE_BLOCK))
    for make in BLOCKS:
        while id(block := make()) < place:
            _filling.append(block)


def _parts(objects: Iterable[Any]) -> list[Any]:
    """What the objects refer to; what code refers to it does not tell the collector."""
    parts = gc.get_referents(*objects)
    for code in objects:
        if type(code) is CodeType:
            names = (code.co_name, code.co_qualname, code.co_filename)
            variables = (*code.co_varnames, *code.co_freevars, *code.co_cellvars)
            tables = (code.co_linetable, code.co_exceptiontable)
            parts += (code.co_consts, code.co_names, *names, *variables, *tables)
    return parts
