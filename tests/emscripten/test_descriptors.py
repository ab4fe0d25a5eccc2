"""Open files: offsets, modes of access, and the numbers they are known by."""

from __future__ import annotations

import pytest

from rlm_kernel.emscripten import (
    Descriptors,
    Device,
    Directory,
    Errno,
    NullDriver,
    OpenFile,
    Quota,
    RegularFile,
)
from rlm_kernel.emscripten.descriptors import (
    DEVICE_TRANSFER_MAX,
    O_APPEND,
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
    SEEK_CUR,
    SEEK_END,
    SEEK_SET,
)
from tests.emscripten.failing import fails


class Recorder(NullDriver):
    """A device that gives what it is asked for, and remembers what it was asked."""

    def __init__(self) -> None:
        self.read_lengths: list[int] = []
        self.written: list[bytes] = []

    def read(self, length: int) -> bytes:
        self.read_lengths.append(length)
        return b"r" * length

    def write(self, data: bytes) -> int:
        self.written.append(data)
        return len(data)


def opened(content: bytes = b"", flags: int = O_RDWR) -> OpenFile:
    return OpenFile(RegularFile(Quota(1 << 20), image=content), flags)


def whole(file: OpenFile) -> bytes:
    assert isinstance(file.node, RegularFile)
    return bytes(file.node.read_at(0, file.node.size))


def test_reading_and_writing_go_on_where_the_last_one_ended() -> None:
    file = opened(b"0123456789")
    assert bytes(file.read(3)) == b"012"
    assert file.write(b"abc") == 3
    assert bytes(file.read(100)) == b"6789"
    assert bytes(file.read(100)) == b""
    assert whole(file) == b"012abc6789"


def test_reading_and_writing_elsewhere_leave_the_offset() -> None:
    file = opened(b"0123456789")
    assert bytes(file.read_at(8, 10)) == b"89"
    assert file.write_at(0, b"ab") == 2
    assert bytes(file.read(3)) == b"ab2"


def test_appending_writes_at_the_end_that_is_there_by_then() -> None:
    file = opened(b"one", O_RDWR | O_APPEND)
    file.seek(0, SEEK_SET)
    file.write(b"two")
    assert isinstance(file.node, RegularFile)
    file.node.write_at(6, b"other")
    file.write(b"three")
    assert whole(file) == b"onetwootherthree"
    assert file.offset == 16


def test_a_write_after_a_seek_past_the_end_leaves_zeros() -> None:
    file = opened(b"ab")
    assert file.seek(3, SEEK_END) == 5
    assert bytes(file.read(10)) == b""
    file.write(b"c")
    assert whole(file) == b"ab\0\0\0c"


def test_seeking_counts_from_three_places() -> None:
    file = opened(b"0123456789")
    assert file.seek(4, SEEK_SET) == 4
    assert file.seek(-1, SEEK_CUR) == 3
    assert file.seek(-2, SEEK_END) == 8
    assert file.seek(0, SEEK_CUR) == 8


@pytest.mark.parametrize(
    ("offset", "whence"),
    [(-1, SEEK_SET), (-11, SEEK_END), (-1, SEEK_CUR), ((1 << 63) - 1, SEEK_END), (0, 3), (0, -1)],
)
def test_a_seek_to_nowhere_leaves_the_offset(offset: int, whence: int) -> None:
    file = opened(b"0123456789")
    with fails(Errno.EINVAL):
        file.seek(offset, whence)
    assert file.offset == 0


def test_offsets_below_zero_are_refused() -> None:
    file = opened(b"abc")
    with fails(Errno.EINVAL):
        file.read_at(-1, 1)
    with fails(Errno.EINVAL):
        file.write_at(-1, b"x")
    with fails(Errno.EINVAL):
        file.truncate(-1)


def test_a_file_opened_for_reading_is_not_written() -> None:
    file = opened(b"abc", O_RDONLY)
    for refused in (
        lambda: file.write(b"x"),
        lambda: file.write(b""),
        lambda: file.write_at(0, b"x"),
        lambda: file.allocate(0, 1),
    ):
        with fails(Errno.EBADF):
            refused()
    with fails(Errno.EINVAL):
        file.truncate(0)
    assert whole(file) == b"abc"


def test_a_file_opened_for_writing_is_not_read() -> None:
    file = opened(b"abc", O_WRONLY)
    for length in (1, 0):
        with fails(Errno.EBADF):
            file.read(length)
        with fails(Errno.EBADF):
            file.read_at(0, length)


def test_allocation_only_ever_makes_a_file_longer() -> None:
    file = opened(b"abc")
    file.allocate(0, 2)
    assert whole(file) == b"abc"
    file.allocate(2, 3)
    assert whole(file) == b"abc\0\0"
    for offset, length in ((-1, 5), (0, 0), (0, -1)):
        with fails(Errno.EINVAL):
            file.allocate(offset, length)


def test_a_directory_is_neither_read_nor_written() -> None:
    file = OpenFile(Directory(), O_RDWR)
    with fails(Errno.EISDIR):
        file.read(1)
    with fails(Errno.EISDIR):
        file.write(b"x")
    with fails(Errno.EINVAL):
        file.truncate(0)


def test_a_device_has_no_offset_and_no_length() -> None:
    file = OpenFile(Device(NullDriver()), O_RDWR)
    with fails(Errno.ESPIPE):
        file.seek(0, SEEK_SET)
    with fails(Errno.ESPIPE):
        file.read_at(0, 1)
    with fails(Errno.ESPIPE):
        file.write_at(0, b"x")
    with fails(Errno.EINVAL):
        file.truncate(0)
    with fails(Errno.ENODEV):
        file.allocate(0, 1)


def test_a_device_respects_the_mode_of_access() -> None:
    device = Device(Recorder())
    with fails(Errno.EBADF):
        OpenFile(device, O_RDONLY).write(b"x")
    with fails(Errno.EBADF):
        OpenFile(device, O_WRONLY).read(1)


def test_a_device_moves_a_bounded_piece_at_once() -> None:
    recorder = Recorder()
    file = OpenFile(Device(recorder), O_RDWR)
    assert file.write(bytes(DEVICE_TRANSFER_MAX + 5)) == DEVICE_TRANSFER_MAX
    assert len(file.read(1 << 31)) == DEVICE_TRANSFER_MAX
    assert recorder.read_lengths == [DEVICE_TRANSFER_MAX]


def test_a_device_is_not_asked_for_nothing() -> None:
    recorder = Recorder()
    file = OpenFile(Device(recorder), O_RDWR)
    assert (file.read(0), file.write(b"")) == (b"", 0)
    assert (recorder.read_lengths, recorder.written) == ([], [])


def test_the_lowest_free_number_is_given_out() -> None:
    table = Descriptors()
    assert [table.add(opened()) for _ in range(4)] == [0, 1, 2, 3]
    table.close(2)
    table.close(1)
    assert [table.add(opened()) for _ in range(3)] == [1, 2, 4]
    assert table.add(opened(), lowest=10) == 10


def test_a_full_table_takes_no_more_until_one_is_closed() -> None:
    table = Descriptors(limit=3)
    for _ in range(3):
        table.expect_room()
        table.add(opened())
    with fails(Errno.EMFILE):
        table.add(opened())
    with fails(Errno.EMFILE):
        table.expect_room()
    table.close(1)
    table.expect_room()
    assert table.add(opened()) == 1


@pytest.mark.parametrize("lowest", [-1, 3, 1 << 31])
def test_a_number_outside_of_the_table_is_not_given_out(lowest: int) -> None:
    with fails(Errno.EINVAL):
        Descriptors(limit=3).add(opened(), lowest)


@pytest.mark.parametrize("fd", [-1, 1, 1 << 31])
def test_a_number_that_is_not_open_is_bad(fd: int) -> None:
    table = Descriptors()
    table.add(opened())
    for use in (lambda: table[fd], lambda: table.close(fd), lambda: table.duplicate_to(fd, 5)):
        with fails(Errno.EBADF):
            use()


def test_duplicates_share_the_offset_and_outlive_each_other() -> None:
    table = Descriptors()
    fd = table.add(opened(b"0123456789"))
    copy = table.duplicate_to(fd, 7)
    table[fd].read(4)
    table.close(fd)
    assert bytes(table[copy].read(2)) == b"45"


def test_duplicating_onto_an_open_number_closes_what_it_was() -> None:
    quota = Quota(100)
    table = Descriptors(limit=5)
    fd = table.add(opened())
    replaced = table.add(OpenFile(RegularFile(quota), O_RDWR))
    table[replaced].write(b"x" * 40)
    assert quota.left == 60
    table.duplicate_to(fd, replaced)
    assert table[replaced] is table[fd]
    assert quota.left == 100
    for target in (-1, 5):
        with fails(Errno.EBADF):
            table.duplicate_to(fd, target)
