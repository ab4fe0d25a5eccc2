"""Host functions: how Python methods become the functions that a guest imports.

A group of them is a class whose methods carry `@imported(...)`. Parameter and result codes are
those of `struct`: `i` a signed and `I` an unsigned i32 (addresses, lengths), `q` an i64, `d` an
f64, and `&` a reference, which arrives as an opaque number and is null as a result.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Iterator
from struct import Struct
from typing import Any, NamedTuple, TypeVar

from rlm_kernel.emscripten.errno import Errno, SyscallError

log = logging.getLogger(__name__)

Handler = Callable[..., Any]
Failure = Callable[[Errno], int]
Method = TypeVar("Method", bound=Handler)

WASI = "wasi_snapshot_preview1"

VALUE_BYTES = 16
"""sizeof(wasmtime_val_raw_t); source: wasmtime's `val.h`, where it holds a v128."""

_FIELDS = {"i": "i12x", "I": "I12x", "q": "q8x", "d": "d8x", "&": "I12x"}
_RESULTS: dict[str, Any] = {
    "i": ctypes.c_int32,
    "I": ctypes.c_uint32,
    "q": ctypes.c_int64,
    "d": ctypes.c_double,
}
_VALUE_TYPES = {"i": "i32", "I": "i32", "q": "i64", "d": "f64"}

RawCallback = ctypes.CFUNCTYPE(
    ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t
)
"""`wasmtime_func_unchecked_callback_t`, with pointers as plain integers."""


class GuestExit(Exception):
    """The guest ended its process. The only exception of a host function that stops the guest."""

    def __init__(self, status: int, reason: str = "exit") -> None:
        super().__init__(f"{reason} {status}")
        self.status = status
        self.reason = reason


class GuestThrow(Exception):
    """What the guest threw passes through a host function, on to the frame that catches it.

    `trap` is the address of the `wasm_trap_t` that stands for it.
    """

    def __init__(self, trap: int) -> None:
        super().__init__("the guest threw an exception")
        self.trap = trap


class Signature(NamedTuple):
    parameters: str
    result: str

    def matches(self, parameters: list[str], results: list[str]) -> bool:
        """Whether it fits the names of the value types that a module declares."""
        return (
            len(parameters) == len(self.parameters)
            and len(results) == len(self.result)
            and all(
                _VALUE_TYPES.get(code, name) == name
                for code, name in zip(
                    self.parameters + self.result, parameters + results, strict=True
                )
            )
        )


Trap = Callable[[GuestExit | GuestThrow], int]


class Import(NamedTuple):
    """One host function: where it is imported from, its types, and how it reports an error."""

    module: str
    name: str
    signature: Signature
    failure: Failure


def _negative(errno: Errno) -> int:
    return -errno


def _positive(errno: Errno) -> int:
    return errno


def _nothing(errno: Errno) -> int:
    return 0


def imported(
    name: str,
    parameters: str = "",
    result: str = "",
    failure: Failure = _nothing,
    module: str = "env",
) -> Callable[[Method], Method]:
    """An imported function. An error that it raises becomes `failure(errno)`."""
    return _mark(Import(module, name, Signature(parameters, result), failure))


def syscall(name: str, parameters: str) -> Callable[[Method], Method]:
    """`env.__syscall_NAME`: returns a result, or the errno made negative."""
    return _mark(Import("env", f"__syscall_{name}", Signature(parameters, "i"), _negative))


def wasi(name: str, parameters: str) -> Callable[[Method], Method]:
    """A function of `wasi_snapshot_preview1`: returns 0 or the errno."""
    return _mark(Import(WASI, name, Signature(parameters, "i"), _positive))


def _mark(declared: Import) -> Callable[[Method], Method]:
    def mark(method: Method) -> Method:
        method.imports = [*getattr(method, "imports", []), declared]  # type: ignore[attr-defined]
        return method

    return mark


def declared_imports(group: object) -> Iterator[tuple[Import, Handler]]:
    """The imports that a group's methods declare, each with its bound method."""
    for attribute in dir(type(group)):
        method = getattr(group, attribute)
        for declared in getattr(method, "imports", ()):
            yield declared, method


def stub(module: str, name: str, results: list[str]) -> tuple[Import, Handler]:
    """Stands for an import that nothing provides: an error to the guest where it can report one.

    `results` are the value types that the module expects; what is no errno is zero or null.
    """
    if results == ["i32"] and name.startswith("__syscall_"):
        return Import(module, name, Signature("", "i"), _negative), lambda: -Errno.ENOSYS
    if results == ["i32"] and module == WASI:
        return Import(module, name, Signature("", "i"), _positive), lambda: Errno.ENOSYS
    nothing = Signature("", "&" * len(results))
    return Import(module, name, nothing, _nothing), lambda: None


def raw_callback(declared: Import, handler: Handler, trap: Trap) -> Any:
    """The C callback that calls `handler`; it never lets an exception out.

    `trap` makes the trap (an address of a `wasm_trap_t`) with which a `GuestExit` stops the guest.
    """
    signature, failure = declared.signature, declared.failure
    unpack = Struct("<" + "".join(_FIELDS[code] for code in signature.parameters)).unpack
    parameter_bytes = VALUE_BYTES * len(signature.parameters)
    store = _storing(signature.result)
    string_at = ctypes.string_at

    def call(_environment: int, _caller: int, values: int, _count: int) -> int:
        try:
            store(values, handler(*unpack(string_at(values, parameter_bytes))))
            return 0
        except SyscallError as error:
            errno = error.errno
        except (GuestExit, GuestThrow) as end:
            return trap(end)
        except MemoryError:
            errno = Errno.ENOMEM
        except Exception:
            log.exception("host function %s failed", declared.name)
            errno = Errno.EIO
        store(values, failure(errno))
        return 0

    return RawCallback(call)


def _storing(result: str) -> Callable[[int, Any], None]:
    """Writes a function's result to where the engine expects it: null for every reference."""
    if result in _RESULTS:
        from_address = _RESULTS[result].from_address

        def store(address: int, value: Any) -> None:
            from_address(address).value = value

        return store
    size = VALUE_BYTES * len(result)

    def clear(address: int, value: Any) -> None:
        ctypes.memset(address, 0, size)

    return clear
