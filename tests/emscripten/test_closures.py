"""Functions that the guest makes at run time."""

from __future__ import annotations

from struct import pack

import pytest

from rlm_kernel.emscripten import GuestExit, closures
from tests.emscripten import foreign as f
from tests.emscripten.foreign import INDEX, STACK_TOP, ForeignGuest


@pytest.fixture
def guest() -> ForeignGuest:
    return ForeignGuest()


def three(guest: ForeignGuest) -> int:
    long, small, double = guest.type(f.S64), guest.type(f.FLOAT), guest.type(f.DOUBLE)
    return guest.cif(long, [long, small, double])


def test_compiled_code_calls_a_closure(guest: ForeignGuest) -> None:
    cif = three(guest)
    _, place = guest.closure(cif, data=0)
    assert guest.call("indirect", place, -(1 << 50), 1.5, 2.5) == -(1 << 50)
    _, place = guest.closure(cif, data=8)
    bits = int.from_bytes(pack("<d", 2.5), "little")
    assert guest.call("indirect", place, 1, 1.5, 2.5) == bits
    assert (guest.handled, guest.stack_pointer) == (2, STACK_TOP)


def test_a_closure_can_be_called_through_libffi(guest: ForeignGuest) -> None:
    word = guest.type(f.U32)
    _, place = guest.closure(guest.cif(word, [word]))
    result = guest.room(8)
    values = guest.words(guest.put(pack("<I", 0xFFFFFFF0)))
    guest.call("call", guest.cif(word, [word]), place, result, values)
    assert guest.memory.read_u32(result) == 0xFFFFFFF0


def test_structures_and_long_doubles_reach_a_closure(guest: ForeignGuest) -> None:
    word, long = guest.type(f.U32), guest.type(f.LONG_DOUBLE)
    pair = guest.type(f.STRUCT, word, word)
    cif = guest.cif(pair, [pair, long])
    for data, wanted in ((0, pack("<II", 3, 4)), (4, bytes(range(8)))):
        _, place = guest.closure(cif, data)
        result = guest.room(16)
        values = guest.words(guest.put(pack("<II", 3, 4)), guest.put(bytes(range(16))))
        guest.call("call", cif, place, result, values)
        assert guest.memory.read(result, 8) == wanted


def test_variable_arguments_reach_a_closure(guest: ForeignGuest) -> None:
    word, long = guest.type(f.U32), guest.type(f.S64)
    pair = guest.type(f.STRUCT, word, word)
    cif = guest.cif(long, [word, long, pair], fixed=1)
    values = guest.words(
        guest.put(pack("<I", 1)), guest.put(pack("<q", -2)), guest.put(pack("<II", 5, 6))
    )
    for data, wanted in ((4, pack("<q", -2)), (8, pack("<II", 5, 6))):
        _, place = guest.closure(cif, data)
        result = guest.room(16)
        guest.call("call", cif, place, result, values)
        assert guest.memory.read(result, 8) == wanted


def test_places_and_functions_are_used_again(guest: ForeignGuest) -> None:
    cif = three(guest)
    places = set()
    for _ in range(100):
        address, place = guest.closure(cif)
        places.add(place)
        guest.call("free_closure", address)
    assert len(places) == 1
    assert len(guest.closures._handles) == 1


def test_there_are_only_so_many_closures(
    guest: ForeignGuest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closures, "CLOSURES_MAX", 2)
    cif, other = three(guest), guest.cif(guest.type(f.VOID), [])
    first, place = guest.closure(cif)
    guest.closure(cif)
    assert guest.call("alloc", 16, guest.room(4)) == 0
    guest.call("free_closure", first)
    again = guest.call("alloc", 16, guest.room(4))
    assert guest.call("prepare", again, other, INDEX["handle"], 0, place) == 1
    assert guest.call("prepare", again, cif, INDEX["handle"], 0, place) == 0


def test_a_place_that_is_not_the_closures_own_is_refused(guest: ForeignGuest) -> None:
    cif = three(guest)
    address, place = guest.closure(cif)
    for closure, code in ((address, INDEX["u"]), (address + 4, place), (0, 0)):
        assert guest.call("prepare", closure, cif, INDEX["handle"], 0, code) == 1
    assert guest.foreign("u", guest.type(f.U32), [(guest.type(f.U32), b"abcd")])[:4] == b"abcd"


def test_types_that_a_closure_cannot_have_are_refused(guest: ForeignGuest) -> None:
    word = guest.type(f.U32)
    address, place = guest.closure(three(guest))
    for cif in (-16, guest.cif(guest.type(15), []), guest.cif(word, [word] * 129)):
        assert guest.call("prepare", address, cif, INDEX["handle"], 0, place) == 1


def test_freeing_what_is_no_closure_does_nothing(guest: ForeignGuest) -> None:
    address, _ = guest.closure(three(guest))
    for wild in (address, address, 0, -1):
        guest.call("free_closure", wild)
    _, first = guest.closure(three(guest))
    _, second = guest.closure(three(guest))
    assert first != second


def test_nowhere_to_write_the_place_to_is_no_closure(guest: ForeignGuest) -> None:
    assert guest.call("alloc", 16, -2) == 0


def test_a_closure_that_is_freed_cannot_be_called(guest: ForeignGuest) -> None:
    address, place = guest.closure(three(guest))
    guest.call("free_closure", address)
    cif = guest.cif(guest.type(f.VOID), [])
    guest.call("call", cif, place, 0, 0)
    assert guest.refusals == [f"there is no function at the address {place:#x}"]


def test_what_a_closure_throws_reaches_who_catches_it(guest: ForeignGuest) -> None:
    word = guest.type(f.U32)
    cif = guest.cif(word, [word])
    _, place = guest.closure(cif, data=1)
    assert guest.call("try", cif, place, 0, guest.words(guest.put(bytes(4)))) == 1
    assert guest.program.calls.depth == 0


def test_a_closure_that_ends_the_guest_ends_it(guest: ForeignGuest) -> None:
    word = guest.type(f.U32)
    cif = guest.cif(word, [word])
    _, place = guest.closure(cif, data=2)
    with pytest.raises(GuestExit, match="abort 134"):
        guest.call("try", cif, place, 0, guest.words(guest.put(bytes(4))))


@pytest.mark.parametrize("name", ["u", "reference"])
def test_a_closure_of_something_else_ends_the_guest(guest: ForeignGuest, name: str) -> None:
    word = guest.type(f.U32)
    cif = guest.cif(word, [word])
    _, place = guest.closure(cif, name=name)
    with pytest.raises(GuestExit, match="of another type"):
        guest.call("call", cif, place, 0, guest.words(guest.put(bytes(4))))
