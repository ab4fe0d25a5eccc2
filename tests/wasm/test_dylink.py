"""The dylink.0 section of side modules."""

from __future__ import annotations

import pytest

from rlm_kernel.errors import MalformedModule
from rlm_kernel.wasm import Dylink, ExportInfo, ImportInfo, Module, Section, SectionId

# 256 bytes at 2^4, 3 table elements at 2^0; one needed library.
PAYLOAD = b"\1\5\x80\2\4\3\0" + b"\2\x0b\1\x09libfoo.so"


def test_memory_table_and_needed_libraries_are_read() -> None:
    dylink = Dylink.parse(PAYLOAD)
    assert dylink == Dylink(256, 4, 3, 0, needed=("libfoo.so",))


def test_symbol_flags_and_paths_are_read_and_unknown_parts_kept() -> None:
    dylink = Dylink(
        memory_size=1 << 20,
        memory_alignment=4,
        table_size=7,
        needed=("a.so", "b.so"),
        exports=(ExportInfo("tls", 0x100),),
        imports=(ImportInfo("env", "maybe", 1), ImportInfo("env", "sure", 0)),
        runtime_paths=("$ORIGIN/../lib",),
        other=((9, b"\1\2\3"),),
    )
    assert Dylink.parse(dylink.encode()) == dylink
    assert [info.weak for info in dylink.imports] == [True, False]


def test_a_module_knows_its_dylink_section() -> None:
    section = Section(SectionId.CUSTOM, PAYLOAD, "dylink.0")
    dylink = Module.parse(Module((section,)).encode()).dylink()
    assert dylink == Dylink.parse(PAYLOAD)


@pytest.mark.parametrize(
    ("payload", "offset", "message"),
    [
        (b"\1\4\1\1\1", 102, "unexpected end: 4 bytes wanted, 3 left"),
        (b"\1\3\1\1\1", 105, "unexpected end"),
        (b"\1\5\1\1\1\1\0", 106, "1 bytes left over"),
        (b"\2\3\1\1\xff", 103, "not UTF-8"),
    ],
)
def test_a_section_that_breaks_the_format_is_an_error_at_its_offset(
    payload: bytes, offset: int, message: str
) -> None:
    with pytest.raises(MalformedModule, match=message) as caught:
        Dylink.parse(payload, 100)
    assert caught.value.offset == offset
