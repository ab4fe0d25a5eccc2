"""Sequences of calls that no compiler would make, straight from WebAssembly to the host."""

from __future__ import annotations

import resource

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile.calls import CALLS, FILE_ROOM, Call, Victim, calls
from tests.hostile.profiles import few, many

HOST_BYTES_MAX = 96 << 20
"""How much all sequences together may add to this process: guests of 4 MiB come and go."""

BY_GROUP = {
    "files": ("__syscall_", "fd_", "_mmap_js", "_munmap_js", "_msync_js"),
    "descriptors": ("fd_", "__syscall_dup", "__syscall_fcntl", "__syscall_ioctl", "__syscall_poll"),
    "all": ("",),
}


def sequences(group: str) -> st.SearchStrategy[list[Call]]:
    chosen = [declared for declared in CALLS if declared.name.startswith(BY_GROUP[group])]
    return st.lists(calls(chosen), min_size=1, max_size=40)


def run(sequence: list[Call]) -> None:
    victim = Victim()
    try:
        for call in sequence:
            victim.suffer(call)
    finally:
        victim.close()


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def hold(group: str, profile: settings) -> None:
    before = peak()
    profile(given(sequences(group))(run))()
    assert peak() - before < HOST_BYTES_MAX + FILE_ROOM


def test_a_few_sequences_of_calls_harm_nobody() -> None:
    hold("all", few)


@pytest.mark.hostile
@pytest.mark.timeout(600)
@pytest.mark.parametrize("group", sorted(BY_GROUP))
def test_no_sequence_of_calls_harms_anybody(group: str) -> None:
    hold(group, many)
