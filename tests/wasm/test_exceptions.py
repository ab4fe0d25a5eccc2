"""What of a module the translation changes, and what it leaves as it was."""

from __future__ import annotations

import pytest

from rlm_kernel.errors import MalformedModule
from rlm_kernel.wasm import FunctionType, Module, Section, SectionId, translate_exceptions
from rlm_kernel.wasm.types import I32, I64
from tests.wasm.assembler import Program, assemble, vector
from tests.wasm.engine import TAGS, behaviour, main, validate

# A function without legacy exceptions whose immediates are full of the legacy opcodes' bytes.
LOOKALIKE = """
    i32.const 6
    i32.const 1543 ;; 0x87 0x0c
    i32.const 100762
    drop
    drop
    local.get 6
    i32.load8_u 25
    drop
    i64.const 6
    drop
    drop
    block (result i32)
      local.get 6
      local.get 6
      br_table 0 0
    end
    drop
"""
LEGACY = "try\n i32.const 1\n throw $one\n catch $one\n drop\n end"


def two_functions() -> Program:
    lookalike = ("(param i32)", "i32 i32 i32 i32 i32 i32 i32", LOOKALIKE)
    return assemble(TAGS, {"lookalike": lookalike, "legacy": ("", "", LEGACY)})


def bodies(module: bytes) -> list[bytes]:
    section = Module.parse(module).section(SectionId.CODE)
    assert section
    reader = section.reader()
    return [reader.blob() for _ in range(reader.u32())]


def test_a_module_without_legacy_exceptions_is_returned_as_it_is() -> None:
    module = assemble(
        TAGS, {"lookalike": ("(param i32)", "i32 i32 i32 i32 i32 i32 i32", LOOKALIKE)}
    ).encode()
    assert translate_exceptions(module) is module


def test_a_module_without_code_is_returned_as_it_is() -> None:
    module = Module().encode()
    assert translate_exceptions(module) is module


def test_a_translated_module_has_nothing_left_to_translate() -> None:
    once = translate_exceptions(two_functions().encode())
    assert translate_exceptions(once) is once


def test_functions_without_legacy_exceptions_are_copied_byte_for_byte() -> None:
    module = two_functions().encode()
    before, after = bodies(module), bodies(translate_exceptions(module))
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_only_the_code_and_the_end_of_the_types_change() -> None:
    program = main("i64.const 1\n try (param i64)\n drop\n catch $two\n drop\n drop\n end", "")
    before = Module.parse(program.encode())
    after = Module.parse(translate_exceptions(before.encode()))
    changed = {SectionId.CODE, SectionId.TYPE}
    assert [section.id for section in before.sections] == [section.id for section in after.sections]
    for old, new in zip(before.sections, after.sections, strict=True):
        assert old.id in changed or old.payload == new.payload
    old_types, new_types = before.types().types, after.types().types
    assert new_types == [*old_types, FunctionType((I64,), (I32, I64))]


def test_types_that_are_there_are_not_added_again() -> None:
    module = two_functions().encode()
    assert (
        Module.parse(translate_exceptions(module)).types().types
        == Module.parse(module).types().types
    )


def test_custom_sections_stay_where_they_are() -> None:
    module = Module.parse(two_functions().encode())
    first = Section(SectionId.CUSTOM, b"\1\2\3", "dylink.0")
    last = Section(SectionId.CUSTOM, b"", "name")
    after = Module.parse(translate_exceptions(Module((first, *module.sections, last)).encode()))
    assert (after.sections[0].name, after.sections[0].payload) == ("dylink.0", b"\1\2\3")
    assert after.sections[-1].name == "name"


def test_imported_tags_are_counted_before_the_modules_own() -> None:
    module = Module.parse(main("try\n i32.const 1\n throw 1\n catch 1\n drop\n end", "").encode())
    imports, tags = module.section(SectionId.IMPORT), module.section(SectionId.TAG)
    assert imports
    assert tags
    tag_types = [b"\0" + bytes((index,)) for index in module.tag_types()]
    imported = imports.payload[1:] + b"\3env\5empty\4" + tag_types[0]
    module = module.with_payload(SectionId.IMPORT, b"\2" + imported)
    module = module.with_payload(SectionId.TAG, vector(tag_types[1:]))
    validate(translate_exceptions(module.encode()))


def with_main(body: bytes, *, locals_: bytes = b"\0") -> tuple[bytes, int]:
    """A module whose last function has this code, and where the code begins."""
    module = Module.parse(main("", "").encode())
    code = module.section(SectionId.CODE)
    assert code
    thrower = bodies(module.encode())[0]
    functions = [thrower, locals_ + body]
    payload = vector([bytes((len(function),)) + function for function in functions])
    encoded = module.with_payload(SectionId.CODE, payload).encode()
    return encoded, len(encoded) - len(body)


def test_tags_written_longer_than_need_be_are_read() -> None:
    tag_1 = b"\x81\x80\x80\x80\0"
    code = TRY + b"\x41\0\x08" + tag_1 + b"\x07" + tag_1 + b"\x1a" + END + END
    module, _ = with_main(code)
    validate(translate_exceptions(module))


TRY, CATCH_ALL, END = b"\x06\x40", b"\x19", b"\x0b"


@pytest.mark.parametrize(
    ("body", "offset", "message"),
    [
        pytest.param(TRY + END, 3, "does not end", id="no end"),
        pytest.param(TRY + END + END + b"\x0b", 4, "after the end", id="second end"),
        pytest.param(TRY + CATCH_ALL + CATCH_ALL + END + END, 3, "after catch_all", id="catch_all"),
        pytest.param(TRY + CATCH_ALL + b"\x07\0" + END + END, 3, "after catch_all", id="catch"),
        pytest.param(TRY + END + CATCH_ALL + END, 3, "outside of a try", id="catch outside"),
        pytest.param(
            b"\x02\x40\x18\0" + TRY + END + END, 2, "a delegate that", id="block delegate"
        ),
        pytest.param(TRY + CATCH_ALL + b"\x18\0" + END, 3, "a delegate that", id="late delegate"),
        pytest.param(TRY + b"\x18\1" + END, 2, "delegate to label 1", id="delegate label"),
        pytest.param(TRY + b"\x09\0" + END + END, 2, "rethrow of label 0", id="rethrow in body"),
        pytest.param(
            TRY + CATCH_ALL + b"\x09\2" + END + END, 3, "rethrow of label 2", id="rethrow"
        ),
        pytest.param(TRY + CATCH_ALL + b"\x0c\2" + END + END, 3, "branch to label 2", id="br"),
        pytest.param(TRY + b"\x07\3" + END + END, 2, "no tag 3", id="tag"),
        pytest.param(
            b"\x06\x30" + CATCH_ALL + END + END, 1, "no function type 48", id="block type"
        ),
        pytest.param(TRY + b"\xff" + END + END, 2, "unknown instruction 0xff", id="instruction"),
        pytest.param(
            TRY + b"\xfc\x7f" + END + END, 2, "unknown instruction 0xfc 0x7f", id="prefix"
        ),
        pytest.param(TRY + END + b"\x41\x80", 5, "unexpected end", id="cut off"),
        pytest.param(
            TRY + END + b"\x0c\x80\x80\x80\x80\x80\0", 4, "longer than 32 bits", id="long"
        ),
        pytest.param(TRY + END + b"\x1f\x40\0" + END + END, 3, "legacy and standard", id="mixed"),
    ],
)
def test_code_that_breaks_the_format_is_an_error_at_its_offset(
    body: bytes, offset: int, message: str
) -> None:
    module, start = with_main(body)
    with pytest.raises(MalformedModule, match=message) as caught:
        translate_exceptions(module)
    assert caught.value.offset == start + offset


def test_more_locals_than_can_be_counted_are_an_error() -> None:
    module, _ = with_main(TRY + END + END, locals_=b"\2\xff\xff\xff\xff\x0f\x7f\1\x7f")
    with pytest.raises(MalformedModule, match="too many locals"):
        translate_exceptions(module)


def translated_main(code: str) -> tuple[Program, bytes]:
    program = main(code, "")
    return program, bodies(translate_exceptions(program.encode()))[-1]


def test_handlers_that_do_not_nest_share_the_local_of_their_exception() -> None:
    rethrowing = "try\n throw $empty\n catch_all\n {}\n rethrow {}\n end"
    nested = rethrowing.format(rethrowing.format("", 0), 0)
    code = "\n".join(
        f"try\n {inner}\n catch_all\n end" for inner in (nested, rethrowing.format("", 0))
    )
    program, body = translated_main(code)
    assert body.startswith(b"\1\2\x69")  # one group of two locals, exnref
    assert behaviour(program) == ([], [])


def test_a_delegate_that_passes_by_no_handler_is_only_a_block() -> None:
    _, body = translated_main("try\n try\n throw $empty\n delegate 0\n catch_all\n end")
    assert body.count(b"\x1f\x40") == 1
    assert b"\x02\x40\x08\0\x0b" in body


def test_a_handler_that_does_not_rethrow_asks_for_no_exception() -> None:
    _, body = translated_main("try\n throw $empty\n catch_all\n end")
    assert body.startswith(b"\0")
    assert b"\x69" not in body
