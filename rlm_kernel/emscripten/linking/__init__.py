"""The dynamic linker: loads side modules that the host compiled into a running program."""

from __future__ import annotations

from rlm_kernel.emscripten.linking.calls import LinkerCalls
from rlm_kernel.emscripten.linking.library import Library
from rlm_kernel.emscripten.linking.linker import Linker
from rlm_kernel.emscripten.linking.main_module import MainModule
from rlm_kernel.emscripten.linking.symbols import LinkError

__all__ = ["Library", "LinkError", "Linker", "LinkerCalls", "MainModule"]
