"""Hostile bytes: every outcome is a result or MalformedModule, and soon."""

from __future__ import annotations

from random import Random

import pytest

from rlm_kernel.errors import MalformedModule
from rlm_kernel.wasm import Dylink, Module, Section, SectionId, translate_exceptions
from rlm_kernel.wasm.module import HEADER
from tests.wasm.programs import random_program

HUGE = b"\xff\xff\xff\xff\x0f"


def is_whole(data: bytes) -> bool:
    """Whether all of the module can be read; if not, the error's offset lies in the module."""
    offset = error_offset(data)
    assert offset is None or 0 <= offset <= len(data)
    return offset is None


def error_offset(data: bytes) -> int | None:
    try:
        translate_exceptions(data)
        module = Module.parse(data)
        module.types()
        module.imports()
        module.exports()
        module.function_types()
        module.tag_types()
        module.dylink()
    except MalformedModule as error:
        return error.offset
    return None


def whole_module() -> bytes:
    dylink = Dylink(64, 3, 2, 0, needed=("libc.so",))
    custom = Section(SectionId.CUSTOM, dylink.encode(), "dylink.0")
    return Module((custom, *Module.parse(random_program(6).encode()).sections)).encode()


def test_a_module_cut_off_anywhere_is_malformed_or_ends_between_sections() -> None:
    data = whole_module()
    assert is_whole(data)
    whole = [size for size in range(len(data)) if is_whole(data[:size])]
    assert len(whole) < len(Module.parse(data).sections) + 1


@pytest.mark.parametrize("seed", range(20))
def test_changed_bytes_raise_nothing_but_malformed_module(seed: int) -> None:
    random = Random(seed)
    original = random_program(seed).encode()
    readable = 0
    for _ in range(60):
        data = bytearray(original)
        for _ in range(random.randint(1, 4)):
            data[random.randrange(8, len(data))] = random.choice(
                (random.randrange(256), 0x06, 0x07, 0x18, 0x19, 0x0B, 0xFF, 0x80)
            )
        readable += is_whole(bytes(data))
    assert readable < 60


@pytest.mark.parametrize(
    "section",
    [
        Section(SectionId.TYPE, HUGE),
        Section(SectionId.TYPE, b"\1\x60" + HUGE),
        Section(SectionId.TYPE, b"\1\x4e" + HUGE),
        Section(SectionId.TYPE, b"\1\x5f" + HUGE),
        Section(SectionId.IMPORT, HUGE),
        Section(SectionId.IMPORT, b"\1" + HUGE),
        Section(SectionId.FUNCTION, HUGE),
        Section(SectionId.TAG, HUGE),
        Section(SectionId.EXPORT, HUGE),
        Section(SectionId.CODE, HUGE + b"\6"),
        Section(SectionId.CUSTOM, b"\2" + HUGE, "dylink.0"),
        Section(SectionId.CUSTOM, b"\2\5" + HUGE, "dylink.0"),
        Section(SectionId.CUSTOM, b"\3\5" + HUGE, "dylink.0"),
    ],
)
def test_a_count_that_promises_too_much_is_an_error(section: Section) -> None:
    assert not is_whole(Module((section,)).encode())


@pytest.mark.parametrize(
    ("data", "offset", "message"),
    [
        (b"", 0, "not a WebAssembly module"),
        (b"\0asm\2\0\0\0", 0, "not a WebAssembly module"),
        (b"\0asm\x0d\0\1\0", 0, "not a WebAssembly module"),
        (HEADER + b"\x0e\0", 8, "unknown section 14"),
        (HEADER + b"\1\2\0", 8, "section 1 is cut off"),
        (HEADER + b"\1", 9, "unexpected end"),
        (HEADER + b"\1\xff\xff\xff\xff\x7f", 9, "exceeds 32 bits"),
        (HEADER + b"\1\1\0\1\1\0", 11, "section type twice"),
        (HEADER + b"\3\1\0\1\1\0", 11, "section type twice or out of order"),
        (HEADER + b"\0\2\1\xff", 10, "not UTF-8"),
        (HEADER + b"\0\2\5a", 11, "unexpected end: 5 bytes wanted, 1 left"),
    ],
)
def test_a_module_that_is_not_one_is_an_error_at_its_offset(
    data: bytes, offset: int, message: str
) -> None:
    with pytest.raises(MalformedModule, match=message) as caught:
        Module.parse(data)
    assert caught.value.offset == offset


def test_deep_nesting_is_translated_without_recursion() -> None:
    depth = 30_000
    code = b"\x06\x40" * depth + b"\x19\x0b" * depth + b"\x0b"
    body = b"\0" + code
    size = len(body)
    sized = bytes((size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14)) + body
    module = Module(
        (
            Section(SectionId.TYPE, b"\1\x60\0\0"),
            Section(SectionId.FUNCTION, b"\1\0"),
            Section(SectionId.CODE, b"\1" + sized),
        )
    )
    translated = translate_exceptions(module.encode())
    assert translated.count(b"\x1f\x40\1\2\0") == depth
