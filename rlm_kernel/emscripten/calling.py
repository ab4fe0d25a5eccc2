"""Calls into the guest while it waits for a host function, by the engine's unchecked path.

What the guest throws in there and does not catch passes on to the frames that wait, as it would
without a host in between. What it traps on ends it: the stack that it left cannot be gone back to.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import wasmtime
from wasmtime import _bindings as c_api

from rlm_kernel.emscripten.imports import GuestExit, GuestThrow, Signature
from rlm_kernel.emscripten.process import ABORTED

DEPTH_MAX = 120
"""Calls nested in each other, each on top of a host function: what the host's own stack of Python
frames has room for."""

_CODES = {0: "i", 1: "q", 2: "f", 3: "d"}
"""`wasm_valkind_t` of numbers; source: the C API's `wasm.h`."""

_CAUSE = re.compile(r"^\s*(\d+: )?")

REFERENCE = "&"
_WORDS_PER_VALUE = 2
"""64-bit words in a `wasmtime_val_raw_t`."""


class GuestFunction(NamedTuple):
    """A function of the guest, and the codes of its types: `i`, `q`, `f`, `d`, or a reference."""

    handle: Any
    signature: Signature


class GuestCalls:
    """Describes functions and calls them."""

    def __init__(self, store: wasmtime.Store) -> None:
        self._store = store
        self._signatures: dict[int, Signature] = {}
        self.ended: GuestExit | None = None
        """Why the guest ended, once it did."""
        self.depth = 0

    def describe(self, handle: Any) -> GuestFunction:
        """The function behind a `wasmtime_func_t` that is not null."""
        pointer: int = getattr(handle, "__private")
        signature = self._signatures.get(pointer)
        if signature is None:
            signature = self._signatures[pointer] = self._signature(handle)
        return GuestFunction(handle, signature)

    def _signature(self, handle: Any) -> Signature:
        kind = c_api.wasmtime_func_type(self._store._context(), ctypes.byref(handle))
        try:
            parameters = _codes(c_api.wasm_functype_params(kind))
            return Signature(parameters, _codes(c_api.wasm_functype_results(kind)))
        finally:
            c_api.wasm_functype_delete(kind)

    def call(self, function: GuestFunction, words: Sequence[int] = ()) -> int:
        """Calls with values as their bits, zero-extended; gives the first result in the same way.

        Raises `GuestThrow` and `GuestExit`, which must reach the waiting guest.
        """
        parameters, result = function.signature
        count = max(len(parameters), len(result))
        values = (ctypes.c_uint64 * (_WORDS_PER_VALUE * count))()
        for position, word in enumerate(words):
            values[_WORDS_PER_VALUE * position] = word
        if self.depth >= DEPTH_MAX:
            raise GuestExit(ABORTED, "calls through the host are nested too deeply")
        self.depth += 1
        try:
            self._call(function.handle, values, count)
        finally:
            self.depth -= 1
        if not result:
            return 0
        returned: int = values[0]
        return returned & 0xFFFFFFFF if result[0] in "if" else returned

    def _call(self, handle: Any, values: Any, count: int) -> None:
        trap = ctypes.POINTER(c_api.wasm_trap_t)()
        error = c_api.wasmtime_func_call_unchecked(
            self._store._context(),
            ctypes.byref(handle),
            ctypes.cast(values, ctypes.POINTER(c_api.wasmtime_val_raw_t)),
            count,
            ctypes.byref(trap),
        )
        if error:
            raise self.ended or GuestExit(ABORTED, str(wasmtime.WasmtimeError._from_ptr(error)))
        if not trap:
            return
        if self.ended is None and c_api.wasmtime_context_has_exception(self._store._context()):
            raise GuestThrow(ctypes.cast(trap, ctypes.c_void_p).value or 0)
        reason = wasmtime.Trap._from_ptr(trap)
        raise self.ended or GuestExit(ABORTED, last_line(reason))


def last_line(trap: Exception) -> str:
    """What an engine's error says after its backtrace."""
    lines = str(trap).strip().splitlines() or [type(trap).__name__]
    return _CAUSE.sub("", lines[-1])


def _codes(types: Any) -> str:
    vector = types.contents
    kinds = [_kind(vector.data[position]) for position in range(vector.size)]
    return "".join(_CODES.get(kind, REFERENCE) for kind in kinds)


def _kind(value_type: Any) -> int:
    kind: Any = c_api.wasm_valtype_kind(value_type)
    return int(kind)
