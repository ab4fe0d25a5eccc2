"""Calls whose types are known only when they are made."""

from __future__ import annotations

from struct import pack

import pytest

from rlm_kernel.emscripten import GuestExit
from tests.emscripten import foreign as f
from tests.emscripten.foreign import INDEX, STACK_TOP, ForeignGuest

UNTOUCHED = b"\xee" * 16


@pytest.fixture
def guest() -> ForeignGuest:
    return ForeignGuest()


@pytest.mark.parametrize(
    ("kind", "name", "given", "returned"),
    [
        (f.S8, "u", pack("<b", -5), pack("<i", -5)),
        (f.U8, "u", b"\xfb", pack("<I", 251)),
        (f.S16, "u", pack("<h", -300), pack("<i", -300)),
        (f.U16, "u", pack("<H", 65000), pack("<I", 65000)),
        (f.INT, "u", pack("<i", -7), pack("<i", -7)),
        (f.U32, "u", pack("<I", 0xFFFFFFFE), pack("<I", 0xFFFFFFFE)),
        (f.POINTER, "u", pack("<I", 0x80000000), pack("<I", 0x80000000)),
        (f.S64, "q", pack("<q", -(1 << 60)), pack("<q", -(1 << 60))),
        (f.FLOAT, "f", b"\x01\x02\xa0\x7f", b"\x01\x02\xa0\x7f"),
        (f.DOUBLE, "d", pack("<d", 2.5), pack("<d", 2.5)),
    ],
)
def test_a_number_goes_there_and_back(
    guest: ForeignGuest, kind: int, name: str, given: bytes, returned: bytes
) -> None:
    number = guest.type(kind)
    assert guest.foreign(name, number, [(number, given)])[: len(returned)] == returned
    assert guest.refusals == []


def test_a_small_result_is_widened(guest: ForeignGuest) -> None:
    small, word = guest.type(f.S8), guest.type(f.U32)
    assert guest.foreign("u", small, [(word, pack("<I", 0x12F0))])[:4] == pack("<i", -16)


def test_a_structure_is_passed_by_the_address_of_a_copy(guest: ForeignGuest) -> None:
    word = guest.type(f.U32)
    pair = guest.type(f.STRUCT, word, word)
    original = guest.put(pack("<II", 1, 2))
    result, pointers = guest.room(4), guest.words(original)
    guest.call("call", guest.cif(word, [pair]), INDEX["change"], result, pointers)
    assert guest.memory.read(original, 8) == pack("<II", 1, 2)
    assert guest.memory.read_u32(guest.memory.read_u32(result)) == 99
    assert guest.stack_pointer == STACK_TOP


def test_a_structure_of_one_element_is_passed_as_that(guest: ForeignGuest) -> None:
    number = guest.type(f.DOUBLE)
    boxed = guest.type(f.STRUCT, guest.type(f.STRUCT, number, size=8), size=8)
    assert guest.foreign("d", boxed, [(boxed, pack("<d", 6.5))])[:8] == pack("<d", 6.5)


def test_a_structure_is_returned_through_the_first_argument(guest: ForeignGuest) -> None:
    word = guest.type(f.U32)
    pair = guest.type(f.STRUCT, word, word)
    assert guest.foreign("fill", pair, [(word, pack("<I", 77))])[:4] == pack("<I", 77)


def test_a_structure_that_nobody_wants_is_returned_to_nowhere(guest: ForeignGuest) -> None:
    word = guest.type(f.U32)
    pair = guest.type(f.STRUCT, word, word)
    values = guest.words(guest.put(pack("<I", 77)))
    guest.call("call", guest.cif(pair, [word]), INDEX["fill"], 0, values)
    assert guest.refusals == []
    assert guest.memory.read(0, 8) == bytes(8)


def test_a_long_double_is_two_values(guest: ForeignGuest) -> None:
    kind = guest.type(f.LONG_DOUBLE)
    assert guest.foreign("halves", kind, [(kind, bytes(range(16)))]) == bytes(
        [*range(8, 16), *range(8)]
    )


def test_variable_arguments_lie_in_an_array(guest: ForeignGuest) -> None:
    word, small = guest.type(f.U32), guest.type(f.U8)
    given = [(word, bytes(4)), (small, b"\x05"), (small, b"\x06")]
    assert guest.foreign("second", word, given, fixed=1)[:4] == pack("<I", 6)


def test_the_type_of_the_function_is_not_what_it_is_called_as(guest: ForeignGuest) -> None:
    word, number = guest.type(f.U32), guest.type(f.DOUBLE)
    assert guest.foreign("u", word, [(number, bytes(8))]) == UNTOUCHED
    assert guest.foreign("u", number, [(word, bytes(4))]) == UNTOUCHED
    assert guest.foreign("u", word, []) == UNTOUCHED
    assert guest.foreign("reference", word, [(word, bytes(4))]) == UNTOUCHED
    assert guest.refusals == [
        "the function's type is (i32) -> i32, and it is called as (f64) -> i32",
        "the function's type is (i32) -> i32, and it is called as (i32) -> f64",
        "the function's type is (i32) -> i32, and it is called as () -> i32",
        "the function's type is (a reference) -> nothing, and it is called as (i32) -> i32",
    ]


def test_arguments_too_many_and_unwanted_results_do_no_harm(guest: ForeignGuest) -> None:
    word, void = guest.type(f.U32), guest.type(f.VOID)
    assert guest.foreign("u", word, [(word, b"abcd"), (word, b"efgh")])[:4] == b"abcd"
    assert guest.foreign("u", void, [(word, b"abcd")]) == UNTOUCHED
    assert guest.foreign("nothing", word, [])[:4] == bytes(4)
    assert guest.refusals == []


@pytest.mark.parametrize("index", [0, 5000, 1 << 31, 0xFFFFFFFF])
def test_there_is_no_function_at_a_wild_address(guest: ForeignGuest, index: int) -> None:
    guest.call("call", guest.cif(guest.type(f.VOID), []), index - (index >> 31 << 32), 0, 0)
    assert guest.refusals == [f"there is no function at the address {index:#x}"]


def test_descriptions_that_cannot_be_read_are_refused(guest: ForeignGuest) -> None:
    word, wild = guest.type(f.U32), 0xFFFFFFF0
    loop = guest.type(f.STRUCT, word)
    guest.memory.write_u32(guest.memory.read_u32(loop + 8), loop)
    many = guest.cif(word, [])
    guest.memory.write_u32(many + 4, 1 << 31)
    guest.memory.write_u32(many + 24, 1 << 31)
    for cif in (
        wild - (1 << 32),
        many,
        guest.cif(wild, []),
        guest.cif(loop, []),
        guest.cif(guest.type(15), []),
        guest.cif(word, [guest.type(f.VOID)]),
        guest.cif(word, [word], fixed=2),
    ):
        guest.call("call", cif, INDEX["u"], 0, 0)
    assert len(guest.refusals) == 7
    assert guest.stack_pointer == STACK_TOP


def test_a_structure_larger_than_the_stack_is_refused(guest: ForeignGuest) -> None:
    word = guest.type(f.U32)
    for size in (40000, 0xFFFFFFFF):
        huge = guest.type(f.STRUCT, word, word, size=size)
        guest.foreign("u", word, [(huge, bytes(8))])
    assert guest.refusals == ["the call cannot be made: ENOMEM"] * 2
    assert guest.stack_pointer == STACK_TOP


def test_values_at_wild_addresses_are_refused(guest: ForeignGuest) -> None:
    word = guest.type(f.U32)
    cif = guest.cif(word, [word])
    guest.call("call", cif, INDEX["u"], 0, guest.words(0xFFFFFFF0))
    guest.call("call", cif, INDEX["u"], -4, guest.words(guest.put(bytes(4))))
    assert guest.refusals == ["the call cannot be made: EFAULT"] * 2


def test_what_the_function_throws_reaches_who_catches_it(guest: ForeignGuest) -> None:
    cif = guest.cif(guest.type(f.VOID), [])
    for _ in range(3):
        assert guest.call("try", cif, INDEX["throw"], 0, 0) == 1
        assert guest.call("try", cif, INDEX["nothing"], 0, 0) == 0
    assert guest.stack_pointer == STACK_TOP
    assert guest.program.calls.depth == 0


@pytest.mark.parametrize(("name", "reason"), [("fall", "unreachable"), ("leave", "abort 134")])
def test_a_function_that_ends_the_guest_ends_it(
    guest: ForeignGuest, name: str, reason: str
) -> None:
    with pytest.raises(GuestExit, match=reason):
        guest.call("try", guest.cif(guest.type(f.VOID), []), INDEX[name], 0, 0)


def test_calls_cannot_be_nested_without_end(guest: ForeignGuest) -> None:
    word = guest.type(f.U32)
    cif = guest.cif(word, [word])
    guest.memory.write_u32(8192, guest.words(cif))
    guest.call("call", cif, INDEX["again"], 0, 8192)
    assert guest.refusals == ["calls through ctypes are nested too deeply"]
