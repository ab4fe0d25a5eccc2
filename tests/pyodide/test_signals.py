"""Signals: what other threads may send while the guest runs."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator

import pytest

from rlm_kernel.emscripten.memory import GuestMemory
from rlm_kernel.pyodide.signals import SIGINT, SIGPROF, Signals

WORD = 8


@pytest.fixture
def memory() -> Iterator[GuestMemory]:
    """A memory without an engine: whatever needs one fails."""
    block = ctypes.create_string_buffer(64)
    memory = GuestMemory()
    memory.attach(ctypes.addressof(block), len(block))
    yield memory
    del block  # it had to live until here


def test_a_signal_sent_by_another_thread_needs_nothing_but_the_memory(memory: GuestMemory) -> None:
    signals = Signals(memory)
    signals.attach(WORD)
    thread = threading.Thread(target=signals.send, args=(SIGINT,))
    thread.start()
    thread.join()
    assert (memory.read_u32(WORD), signals.next_signal(), memory.read_u32(WORD)) == (1, SIGINT, 0)


def test_the_word_stays_set_until_the_last_signal_was_taken(memory: GuestMemory) -> None:
    signals = Signals(memory)
    signals.attach(WORD)
    for number in (SIGINT, SIGPROF):
        signals.send(number)
    taken = [(signals.next_signal(), memory.read_u32(WORD)) for _ in range(3)]
    assert taken == [(SIGINT, 1), (SIGPROF, 0), (0, 0)]


def test_a_signal_sent_before_the_interpreter_is_there_waits_for_it(memory: GuestMemory) -> None:
    signals = Signals(memory)
    signals.send(SIGINT)
    assert memory.read(0, 64) == bytes(64)
    signals.attach(WORD)
    assert (memory.read_u32(WORD), signals.next_signal()) == (1, SIGINT)
