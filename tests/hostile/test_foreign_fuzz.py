"""libffi's host functions with descriptions, functions and addresses that make no sense."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from rlm_kernel.emscripten import GuestExit, SyscallError
from tests.emscripten import foreign as f
from tests.emscripten.foreign import ForeignGuest
from tests.hostile.calls import Failures
from tests.hostile.profiles import few, many

WILD = (0, 1, 3, 4, 65535, 65536, 4 * 65536 - 4, 4 * 65536, 0x7FFFFFFF, -1, -4, -16, -(1 << 31))

numbers = st.one_of(
    st.sampled_from(WILD), st.integers(0, 20), st.integers(-(1 << 31), (1 << 31) - 1)
)
kinds = st.integers(0, 16)
places = st.one_of(st.none(), st.none(), numbers)
"""An address, or none for one that is right."""


@dataclass(frozen=True, slots=True)
class Described:
    """A call's description: the kinds of its result and arguments, and what is wrong with it."""

    result: int
    arguments: tuple[int, ...]
    elements: tuple[int, ...]
    fixed: int | None
    overwritten: tuple[tuple[int, int], ...]


described = st.builds(
    Described,
    kinds,
    st.lists(kinds, max_size=6).map(tuple),
    st.lists(kinds, max_size=4).map(tuple),
    st.one_of(st.none(), st.integers(0, 5)),
    st.lists(st.tuples(st.integers(0, 6), numbers), max_size=2).map(tuple),
)
step = st.tuples(
    st.sampled_from(("call", "try", "prepare", "alloc", "free_closure")),
    described,
    st.tuples(numbers, places, places, places),
)


def cif_of(guest: ForeignGuest, what: Described) -> int:
    elements = [guest.type(kind) for kind in what.elements if kind != f.STRUCT]

    def of_kind(kind: int) -> int:
        return guest.type(kind, *(elements if kind == f.STRUCT else ()))

    cif = guest.cif(of_kind(what.result), [of_kind(kind) for kind in what.arguments], what.fixed)
    for word, value in what.overwritten:
        guest.memory.write_u32(cif + 4 * word, value)
    return cif


def do(guest: ForeignGuest, name: str, cif: int, chosen: tuple[int | None, ...]) -> None:
    first, *rest = chosen
    values = guest.words(*[guest.put(b"12345678" * 2) for _ in range(6)])
    right = (guest.room(32), values, guest.room(16))
    a, b, c = (r if each is None else each for each, r in zip(rest, right, strict=True))
    arguments = {
        "call": (cif, first, a, b),
        "try": (cif, first, a, b),
        "prepare": (a, cif, first, b, c),
        "alloc": (first, a),
        "free_closure": (first,),
    }
    guest.call(name, *arguments[name])


def run(steps: list[tuple[str, Described, tuple[int | None, ...]]]) -> None:
    failures = Failures()
    guest = ForeignGuest()
    try:
        for name, what, chosen in steps:
            try:
                do(guest, name, cif_of(guest, what), chosen)
            except (GuestExit, wasmtime.Trap, wasmtime.WasmtimeError, SyscallError):
                guest = ForeignGuest()  # it was made to end, or fell, or has no room left
            assert failures.seen == []
    finally:
        failures.stop()


def hold(profile: settings) -> None:
    profile(given(st.lists(step, min_size=1, max_size=10))(run))()


def test_a_few_foreign_calls_harm_nobody() -> None:
    hold(few)


@pytest.mark.hostile
@pytest.mark.timeout(600)
def test_no_foreign_call_harms_anybody() -> None:
    hold(many)
