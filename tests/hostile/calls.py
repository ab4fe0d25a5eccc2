"""Calls of the host's functions with arguments that mean harm, as hypothesis makes them."""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from rlm_kernel.emscripten import Device, Errno, NullDriver, OpenFile
from rlm_kernel.emscripten import descriptors as d
from rlm_kernel.emscripten.imports import WASI, GuestExit, Import
from tests.emscripten.guest import IMPORTS, PAGE, Guest, u32

MARGIN = 4096
"""Bytes at the end of the guest's memory that the host is told nothing of."""

FILE_ROOM = 1 << 20

KNOWN = frozenset(map(int, Errno))

WORDS = (
    *(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 100, 255, 256, 1023, 1024, 1025, 4096, PAGE, 1 << 20),
    *(-1, -2, -8, -100, -(1 << 31), (1 << 31) - 1, (1 << 31) - 8, 0x3FFFFFFF, 0x3FFFFFFE),
)
FLAGS = (0, 1, 2, 3, 0o100, 0o101, 0o102, 0o301, 0o1101, 0o2002, 0o200000, 0o400000, 0o2000000, -1)
LONGS = (0, 1, -1, 9, 1 << 20, 1 << 31, -(1 << 31), 1 << 32, (1 << 63) - 1, -(1 << 63), 10**18)
PLACES = 16
"""How many addresses of a prepared guest hold something; the numbers of them come before others."""


@dataclass(frozen=True, slots=True)
class Place:
    """An address that a prepared guest has something at, or one beside it."""

    number: int
    offset: int


@dataclass(frozen=True, slots=True)
class Call:
    declared: Import
    arguments: tuple[object, ...]

    def __repr__(self) -> str:
        return f"{self.declared.name}{self.arguments}"


places = st.builds(Place, st.integers(0, PLACES - 1), st.sampled_from((0, 0, 0, 1, 3, -1, -4)))
words = st.one_of(
    st.sampled_from(WORDS), st.sampled_from(FLAGS), st.integers(-(1 << 31), (1 << 31) - 1)
)
of_code = {
    "I": st.one_of(places, places, words),
    "i": st.one_of(st.integers(-1, 12), words),
    "q": st.one_of(st.sampled_from(LONGS), st.integers(-(1 << 63), (1 << 63) - 1)),
    "d": st.floats(),
}


def calls(imports: list[Import]) -> st.SearchStrategy[Call]:
    """Calls of one of these functions."""
    return st.one_of([_calls_of(declared) for declared in imports])


def _calls_of(declared: Import) -> st.SearchStrategy[Call]:
    arguments = st.tuples(*(of_code[code] for code in declared.signature.parameters))
    return st.builds(Call, st.just(declared), arguments)


class Victim(Guest):
    """A guest with files, links, descriptors of every kind, little room, and things to point to."""

    def __init__(self) -> None:
        super().__init__(sleep=lambda seconds: None)
        self.failures = Failures()
        self.files.make_directories("/a/b")
        fd = self.open("/a/file", d.O_CREAT | d.O_RDWR)
        self.write(fd, b"0123456789" * 100)
        self.open("/a", d.O_RDONLY)
        self.descriptors.add(OpenFile(Device(NullDriver()), d.O_RDWR))
        self.open("/a/other", d.O_CREAT | d.O_WRONLY)
        self.open("/a/file", d.O_APPEND | d.O_RDWR)
        self.syscall("symlinkat", "loop", -100, "/loop")
        self.syscall("symlinkat", "a/file", -100, "/link")
        self.files.quota.left = FILE_ROOM
        self._places = self._prepare()
        self._hide_margin()

    def _prepare(self) -> list[int]:
        end = self.memory.size - MARGIN
        wild = [(-1, 1), (0, -1), (end - 1, 2), (0, 1 << 20), (8, 8), (-8, 16), (end, 0)]
        texts = ("/a/file", "/a", "/loop/x", "/link", "new", "a/b/../b/./deep", "", ".", "/a/b/")
        found = [self.put(text.encode() + b"\0") for text in texts]
        found += [self.put(b"\xff" * 300 + b"\0"), self.put(b"/x" * 3000)]
        found += [self.iovecs(*wild), self.iovecs(*itertools.repeat((0, 1 << 20), 1024))]
        found += [self.put(u32(-1) * 64), self.room(4096), end - 8]
        assert len(found) == PLACES
        return found

    def _hide_margin(self) -> None:
        size = self.memory.size - MARGIN
        self.memory.write(size, b"\xa5" * MARGIN)
        self._margin = self.memory.slice(size, MARGIN)
        self._size = self.memory.size
        self.memory.attach(self.memory.base, size)

    def suffer(self, call: Call) -> None:
        """Makes a call, and asserts that all is as it may be."""
        arguments = [self._value(argument) for argument in call.arguments]
        try:
            result = self.program.call(call.declared.name, *arguments)
        except GuestExit:
            raise AssertionError(f"{call} ended the guest") from None
        if call.declared.module == WASI:
            assert result == 0 or result in KNOWN, (call, result)
        elif call.declared.name.startswith("__syscall"):
            assert result >= 0 or -result in KNOWN, (call, result)
        assert self.failures.seen == [], call
        assert 0 <= self.files.quota.left <= self.files.quota.limit, call
        if self.memory.size > self._size:  # it has grown, and what was the margin is its own
            self._hide_margin()
        assert bytes(self._margin) == b"\xa5" * MARGIN, f"{call} wrote outside of the memory"

    def _value(self, argument: Any) -> Any:
        if isinstance(argument, Place):
            address = self._places[argument.number] + argument.offset
            return address - (1 << 32) if address >= 1 << 31 else address
        return argument

    def close(self) -> None:
        self.failures.stop()


class Failures(logging.Handler):
    """What host functions raised that no host function may: the host logs it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.seen: list[str] = []
        self._log = logging.getLogger("rlm_kernel.emscripten")
        self._log.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(self.format(record))

    def stop(self) -> None:
        self._log.removeHandler(self)


ENDS = {"exit", "proc_exit", "_abort_js", "__assert_fail", "__call_sighandler"}
"""Functions that may end the guest, and one that calls it."""

CALLS = [declared for declared in IMPORTS if declared.name not in ENDS]
