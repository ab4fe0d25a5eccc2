"""The host of an Emscripten program in wasmtime: its memory, its files, its system calls."""

from __future__ import annotations

from rlm_kernel.emscripten.descriptors import Descriptors, OpenFile
from rlm_kernel.emscripten.devices import NullDriver, OutputDriver, RandomDriver
from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.exports import Exports
from rlm_kernel.emscripten.filesystem import FileSystem
from rlm_kernel.emscripten.imports import GuestExit, imported
from rlm_kernel.emscripten.linking import Library
from rlm_kernel.emscripten.memory import GuestMemory
from rlm_kernel.emscripten.nodes import (
    Device,
    Directory,
    Driver,
    Node,
    RegularFile,
    Symlink,
    expect_directory,
    expect_file,
)
from rlm_kernel.emscripten.program import Program
from rlm_kernel.emscripten.quota import Quota

__all__ = [
    "Descriptors",
    "Device",
    "Directory",
    "Driver",
    "Errno",
    "Exports",
    "FileSystem",
    "GuestExit",
    "GuestMemory",
    "Library",
    "Node",
    "NullDriver",
    "OpenFile",
    "OutputDriver",
    "Program",
    "Quota",
    "RandomDriver",
    "RegularFile",
    "Symlink",
    "SyscallError",
    "expect_directory",
    "expect_file",
    "imported",
]
