"""What an instance exports, looked up one name at a time.

`wasmtime.Instance.exports` wraps all exports at once, which takes seconds on a module with
thousands of them; the C API's look-up takes microseconds.
"""

from __future__ import annotations

import ctypes
from typing import TypeVar, cast

import wasmtime
from wasmtime import _bindings as c_api
from wasmtime._extern import wrap_extern

from rlm_kernel.errors import ZygoteError

Kind = TypeVar("Kind")


class Exports:
    """The exports of one instance. A name that is missing, or is of another kind, is an error."""

    def __init__(self, store: wasmtime.Store, instance: wasmtime.Instance) -> None:
        self._store = store
        self._instance = instance

    def find(self, name: str) -> object | None:
        """The export of this name, or nothing."""
        item = c_api.wasmtime_extern_t()
        encoded = name.encode()
        found = c_api.wasmtime_instance_export_get(
            self._store._context(),
            ctypes.byref(self._instance._instance),
            encoded,
            len(encoded),
            ctypes.byref(item),
        )
        return cast(object, wrap_extern(item)) if found else None

    def function(self, name: str) -> wasmtime.Func:
        return self._expect(name, wasmtime.Func)

    def memory(self, name: str) -> wasmtime.Memory:
        return self._expect(name, wasmtime.Memory)

    def table(self, name: str) -> wasmtime.Table:
        return self._expect(name, wasmtime.Table)

    def variable(self, name: str) -> wasmtime.Global:
        return self._expect(name, wasmtime.Global)

    def address(self, name: str) -> int:
        """The value of an exported global that holds the address of a C variable."""
        return int(self.variable(name).value(self._store))

    def _expect(self, name: str, kind: type[Kind]) -> Kind:
        item = self.find(name)
        if not isinstance(item, kind):
            raise ZygoteError(f"the module exports no {kind.__name__.lower()} named {name}")
        return item
