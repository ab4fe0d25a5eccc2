"""Legacy WebAssembly exception handling rewritten to the standard one.

Engines that do without the legacy instructions (try, catch, catch_all, rethrow, delegate) know
try_table and throw_ref, which can say the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from rlm_kernel.wasm.control import control_instructions
from rlm_kernel.wasm.instruction import Op
from rlm_kernel.wasm.leb128 import unsigned
from rlm_kernel.wasm.module import Module
from rlm_kernel.wasm.outline import read_outline
from rlm_kernel.wasm.reader import Reader
from rlm_kernel.wasm.rewriting import Rewriting
from rlm_kernel.wasm.section import SectionId
from rlm_kernel.wasm.signatures import Signatures
from rlm_kernel.wasm.types import EXNREF, read_value_type

_TRY = bytes((Op.TRY,))


def translate_exceptions(module: bytes) -> bytes:
    """The same module without legacy exception handling.

    Functions that have none are copied as they are, and a module without any is returned as it
    is. All indices stay: only code bodies and the type section grow, the latter at its end.
    Custom sections are copied, also those that speak of code offsets. Whether the module is
    valid is left to the engine; raises MalformedModule where its bytes break the format.
    """
    parsed = Module.parse(module)
    code = parsed.section(SectionId.CODE)
    if code is None or _TRY not in code.payload:
        return module
    signatures = Signatures(parsed.types(), parsed.tag_types())
    payload = _translate_code(code.reader(), parsed.function_types(), signatures)
    if payload is None:
        return module
    translated = parsed.with_payload(SectionId.CODE, payload)
    if signatures.types.added:
        translated = translated.with_payload(SectionId.TYPE, signatures.types.encode())
    return translated.encode()


def _translate_code(
    reader: Reader, function_types: tuple[int, ...], signatures: Signatures
) -> bytes | None:
    """The payload of the code section; None if nothing changes."""
    count = reader.u32()
    if count != len(function_types):
        reader.fail(f"{count} function bodies for {len(function_types)} functions", 0)
    written: list[bytes] = []
    copied = 0
    for type_index in function_types:
        start = reader.position
        body = _next_body(reader)
        if reader.data.find(_TRY, body.position, body.end) < 0:
            continue
        translated = _translate_body(body, type_index, signatures)
        if translated is not None:
            written += reader.data[copied:start], unsigned(len(translated)), translated
            copied = reader.position
    reader.expect_end()
    return b"".join([*written, reader.data[copied:]]) if written else None


def _next_body(reader: Reader) -> Reader:
    start = reader.position
    size = reader.u32()
    if size > reader.end - reader.position:
        reader.fail("a function body is cut off", start)
    body = Reader(reader.data, reader.position, reader.position + size, base=reader.base)
    reader.position += size
    return body


def _translate_body(body: Reader, type_index: int, signatures: Signatures) -> bytes | None:
    """The function's body without legacy exception handling; None if it has none."""
    start = body.position
    groups = _read_locals(body)
    if not any(control.op == Op.TRY for control in control_instructions(body)):
        return None
    params = signatures.params(type_index)
    if params is None:
        body.fail(f"no function type {type_index} for a function", start)
    rewriting = Rewriting(body, read_outline(body), signatures, params + groups.local_count)
    code = rewriting.write()
    if not rewriting.exception_locals:
        return unsigned(groups.count) + groups.encoded + code
    added = unsigned(rewriting.exception_locals) + EXNREF
    return unsigned(groups.count + 1) + groups.encoded + added + code


@dataclass(frozen=True, slots=True)
class _Locals:
    """The groups of locals as they are encoded, and how many locals they declare."""

    count: int
    local_count: int
    encoded: bytes


def _read_locals(body: Reader) -> _Locals:
    start = body.position
    count = body.u32()
    groups_start = body.position
    local_count = 0
    for _ in range(count):
        local_count += body.u32()
        read_value_type(body)
    if local_count >= 1 << 32:
        body.fail("too many locals", start)
    return _Locals(count, local_count, body.data[groups_start : body.position])
