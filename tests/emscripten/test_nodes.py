"""Files and directories themselves: their content, what it counts for, what it shares."""

from __future__ import annotations

import mmap
import tracemalloc

import pytest

from rlm_kernel.emscripten import (
    Device,
    Directory,
    Errno,
    NullDriver,
    Quota,
    RegularFile,
    Symlink,
    expect_directory,
    expect_file,
)
from tests.emscripten.failing import fails


@pytest.fixture
def quota() -> Quota:
    return Quota(1000)


def test_a_write_past_the_end_leaves_zeros_before_it(quota: Quota) -> None:
    file = RegularFile(quota)
    assert file.write_at(3, b"ab") == 2
    assert file.read_at(0, 100) == b"\0\0\0ab"


def test_a_write_inside_replaces_and_may_go_on_past_the_end(quota: Quota) -> None:
    file = RegularFile(quota, image=b"0123456789")
    file.write_at(2, b"ab")
    file.write_at(9, b"xyz")
    assert file.read_at(0, 100) == b"01ab45678xyz"


def test_writing_nothing_changes_nothing_however_far_away(quota: Quota) -> None:
    file = RegularFile(quota, image=b"abc")
    modified = file.modified
    assert file.write_at(1 << 62, b"") == 0
    assert (file.size, file.modified, quota.left) == (3, modified, 1000)


def test_reading_past_the_end_gives_what_there_is(quota: Quota) -> None:
    file = RegularFile(quota, image=b"abc")
    assert bytes(file.read_at(1, 1 << 62)) == b"bc"
    assert bytes(file.read_at(1 << 62, 1 << 62)) == b""


@pytest.mark.parametrize("length", [0, 2, 4, 7])
def test_truncation_cuts_or_fills_with_zeros(quota: Quota, length: int) -> None:
    file = RegularFile(quota, image=b"abcd")
    file.truncate(length)
    assert file.read_at(0, 100) == b"abcd\0\0\0"[:length]
    assert quota.left == 1000 - length


def test_what_was_cut_off_does_not_come_back(quota: Quota) -> None:
    file = RegularFile(quota, image=b"secret")
    file.truncate(1)
    file.truncate(4)
    assert file.read_at(0, 100) == b"s\0\0\0"


def test_every_byte_counts_until_the_last_use_is_gone(quota: Quota) -> None:
    file = RegularFile(quota)
    file.write_at(100, b"x" * 50)
    assert quota.left == 850
    file.truncate(10)
    assert quota.left == 990
    del file
    assert quota.left == 1000


def test_a_write_over_the_quota_fails_whole(quota: Quota) -> None:
    file = RegularFile(quota)
    file.write_at(0, b"x" * 900)
    for refused in (lambda: file.write_at(900, b"y" * 101), lambda: file.truncate(1001)):
        with fails(Errno.ENOSPC):
            refused()
    assert (file.size, quota.left) == (900, 100)
    assert file.write_at(900, b"y" * 100) == 100


def test_a_write_far_away_is_over_the_quota_and_takes_no_memory(quota: Quota) -> None:
    with fails(Errno.ENOSPC):
        RegularFile(quota).write_at((1 << 63) - 1, b"x")
    assert quota.left == 1000


def test_a_file_of_the_image_shares_its_bytes_until_it_is_written(quota: Quota) -> None:
    image = memoryview(mmap.mmap(-1, 300))
    first, second = RegularFile(quota, image=image), RegularFile(quota, image=image)
    assert isinstance(first.read_at(0, 10), memoryview)
    assert quota.left == 1000
    first.write_at(0, b"mine")
    assert bytes(second.read_at(0, 4)) == bytes(image[:4]) == bytes(4)
    assert (first.size, quota.left) == (300, 700)


def test_an_image_too_large_for_the_quota_can_be_emptied(quota: Quota) -> None:
    file = RegularFile(quota, image=bytes(5000))
    with fails(Errno.ENOSPC):
        file.write_at(0, b"x")
    assert file.size == 5000
    file.truncate(0)
    assert (file.size, quota.left) == (0, 1000)


def test_the_target_of_a_link_counts_as_bytes() -> None:
    assert (Symlink("é" * 500).cost, Directory().cost) == (1000, 0)


def test_a_listing_in_parts_misses_nothing_that_stays(quota: Quota) -> None:
    directory = Directory()
    directory.parent = directory
    for number in range(20):
        directory.add(f"old-{number}", RegularFile(quota))
    seen: list[str] = []
    cookie = 0
    while chosen := directory.listed_after(cookie, 3):
        names = [name for _, name, _ in chosen]
        cookie = chosen[-1][0]
        for name in set(names) - {".", ".."}:
            directory.remove(name)
        seen += names
    assert seen == [".", "..", *(f"old-{number}" for number in range(20))]


def test_a_name_that_comes_back_is_a_new_entry(quota: Quota) -> None:
    directory = Directory()
    directory.parent = directory
    directory.add("name", RegularFile(quota))
    [(cookie, _, _)] = directory.listed_after(directory.PARENT_COOKIE, 10)
    directory.add("name", directory.remove("name"))
    assert [name for _, name, _ in directory.listed_after(cookie, 10)] == ["name"]


def test_a_removed_directory_lists_nothing() -> None:
    parent, child = Directory(), Directory()
    parent.add("child", child)
    assert [name for _, name, _ in child.listed_after(0, 10)] == [".", ".."]
    parent.remove("child")
    assert child.listed_after(0, 10) == []


def test_only_the_right_kind_is_expected(quota: Quota) -> None:
    directory, file = Directory(), RegularFile(quota)
    assert expect_directory(directory) is directory
    assert expect_file(file) is file
    with fails(Errno.ENOTDIR):
        expect_directory(file)
    with fails(Errno.EISDIR):
        expect_file(directory)
    with fails(Errno.EINVAL):
        expect_file(Device(NullDriver()))


def test_numbers_are_never_shared(quota: Quota) -> None:
    assert len({RegularFile(quota).number for _ in range(100)}) == 100


def test_the_target_of_a_link_takes_no_more_memory_than_it_counts() -> None:
    target = "\U00010000" + "a" * 4000
    tracemalloc.start()
    try:
        links = [Symlink(target) for _ in range(100)]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [link.target for link in links] == [target] * 100
    cost = sum(link.cost for link in links)
    assert cost == 100 * 4004
    assert cost < taken < 2 * cost
