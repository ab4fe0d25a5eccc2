"""The one configuration of the WebAssembly engine, for compiling and for running."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

import wasmtime
from wasmtime import _bindings as c_api

from rlm_kernel.pyodide.cpu import Level, levels

MIB = 1 << 20

WASM_STACK_BYTES = 900 * MIB
"""Room for deep recursion in the guest's C code.

CPython measures its own stack in linear memory and raises RecursionError in time where a function
uses that. Deallocation uses none: freeing millions of nested objects needs this room instead.
"""

ASYNC_STACK_BYTES = 1000 * MIB
"""Nothing runs on it, but the engine insists that it is no smaller than the other."""

MEMORY_RESERVATION_BYTES = 4 << 30
"""The whole address space of a 32-bit memory, so that growing never has to move it."""


def make_engine(*, threads: bool = False) -> wasmtime.Engine:
    """An engine that runs what another engine made here has compiled, or one made elsewhere for
    one of the `levels` of this machine.

    A memory stays at one host address however it grows. There is no fuel and there are no epochs:
    running code is stopped by ending its process. With `threads` it compiles on all processors;
    the threads stay, and a process that has them cannot safely fork.
    """
    config = wasmtime.Config()
    config.wasm_exceptions = True
    config.wasm_gc = True
    config.wasm_function_references = True
    config.cranelift_opt_level = "speed"
    config.parallel_compilation = threads
    levels()[0].aim(config)
    # The public classes lack these settings.
    c_api.wasmtime_config_async_stack_size_set(config.ptr(), ASYNC_STACK_BYTES)
    config.max_wasm_stack = WASM_STACK_BYTES
    c_api.wasmtime_config_memory_reservation_set(config.ptr(), MEMORY_RESERVATION_BYTES)
    c_api.wasmtime_config_memory_may_move_set(config.ptr(), False)
    return wasmtime.Engine(config)


def fingerprint(level: Level) -> str:
    """Names what compiled code depends on besides the module: engine, configuration and CPU."""
    sources = [Path(__file__), Path(__file__).with_name("cpu.py")]
    facts = [version("wasmtime").encode(), *(source.read_bytes() for source in sources)]
    return hashlib.sha256(b"\0".join([*facts, level.name.encode()])).hexdigest()
