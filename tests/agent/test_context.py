"""Contexts, from Python values and from files."""

from __future__ import annotations

import asyncio
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from rlm_kernel.agent.context import ContextFile, pack_context
from rlm_kernel.errors import ConfigurationError, ContextTooLarge
from rlm_kernel.guest.values import unpack_json


def data_of(packed: ContextFile) -> bytes:
    """Its bytes, as they are sent; each time the same, and as many as it says."""

    async def read() -> bytes:
        return b"".join([piece async for piece in packed.stream()])

    data = asyncio.run(read())
    assert data == b"".join(packed.pieces())
    return data


def test_text_travels_as_utf_8_even_with_lone_surrogates() -> None:
    packed = pack_context("a\nb \ud800")
    assert (packed.form, data_of(packed), packed.size) == ("text", b"a\nb \xed\xa0\x80", 7)
    assert (packed.type_name, packed.note) == ("str", "5 characters in 2 lines")


@pytest.mark.parametrize("text", ["é" * 1_500_000 + "\U0001f600", "x" * (2 << 20)])
def test_long_text_travels_in_pieces_that_are_the_text_together(text: str) -> None:
    packed = pack_context(text)
    assert max(map(len, packed.pieces())) <= 4 << 20
    assert data_of(packed) == text.encode()
    assert packed.size == len(text.encode())


def test_bytes_travel_as_they_are() -> None:
    packed = pack_context(bytearray(b"\x00\xff"))
    assert (packed.form, data_of(packed), packed.type_name) == ("bytes", b"\x00\xff", "bytes")


def test_plain_data_travels_as_json_with_a_note_of_what_it_is() -> None:
    packed = pack_context({"a": [1], "b": None})
    assert (packed.form, json.loads(data_of(packed))) == ("json", {"a": [1], "b": None})
    assert packed.note == "2 entries ('a', 'b'), 18 bytes as JSON"


@pytest.mark.parametrize(
    "value",
    [
        {"a": [[1, {"b": (2, b"3")}], {4}], "c": {}},
        [{5: "six"}, [], [[]], {"$type": "dict"}, {"d": {"$type": [1]}}],
        {"$type": {"x": 1}},
        (1, 2),
        [float("inf"), "\ud800"],
    ],
    ids=repr,
)
def test_data_that_is_packed_piece_by_piece_is_equal_when_it_is_unpacked(value: object) -> None:
    unpacked = unpack_json(data_of(pack_context(value)).decode())
    assert unpacked == value
    assert repr(unpacked) == repr(value)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (object(), "context is of type object"),
        ([1, {2: object()}], r"context\[1\]\[2\] is of type object"),
        ({"a": [object()]}, r"context\['a'\]\[0\] is of type object"),
        ([10**5000], "digits"),
        ([Path("a"), "b"], r"context\[0\] is of type PosixPath"),
    ],
    ids=["object", "inside", "streamed", "huge int", "a path among others"],
)
def test_a_context_that_is_not_plain_data_is_a_configuration_error(
    value: object, place: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"cannot go into a session: .*{place}"):
        pack_context(value)


def test_a_context_that_holds_itself_is_a_configuration_error() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(ConfigurationError, match="holds itself"):
        pack_context(loop)


@pytest.mark.parametrize("value", ["é" * 51, b"x" * 101, ["x" * 100], {"k": ["x"] * 100}])
def test_a_context_beyond_the_limit_is_refused_with_the_limit(value: object) -> None:
    with pytest.raises(ContextTooLarge, match="and may have 100") as caught:
        pack_context(value, 100)
    assert caught.value.limit == 100


def test_one_file_is_its_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("größer\r\nals".encode())
    packed = pack_context(tmp_path / "a.txt")
    assert (packed.form, packed.type_name) == ("text", "str")
    assert (data_of(packed), packed.size) == ("größer\r\nals".encode(), 13)
    assert packed.note == "11 characters in 2 lines"


@pytest.mark.parametrize(
    "data", [b"\xff\xfe", b"ends amid a letter \xc3", b"x" * (1 << 20) + b"\xff"]
)
def test_a_file_that_is_not_utf_8_is_bytes(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.bin").write_bytes(data)
    packed = pack_context(tmp_path / "a.bin")
    assert (packed.form, packed.type_name, data_of(packed)) == ("bytes", "bytes", data)


def test_a_letter_on_the_border_of_two_pieces_is_text(tmp_path: Path) -> None:
    text = "x" * ((1 << 20) - 1) + "é\n"
    (tmp_path / "a.txt").write_text(text)
    packed = pack_context(tmp_path / "a.txt")
    assert (packed.form, packed.note) == ("text", f"{len(text):,} characters in 1 lines")


def unpacked(packed: ContextFile) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data_of(packed))) as archive:
        return {
            member.name: opened.read()
            for member in archive
            if (opened := archive.extractfile(member)) is not None
        }


def test_a_folder_is_its_files_by_their_paths_without_what_is_hidden_or_leads_out(
    tmp_path: Path,
) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    for name in ("b.txt", "sub/a.txt", ".git/config", "sub/__pycache__/a.pyc", ".env"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    outside.write_text("secret")
    (folder / "link").symlink_to(outside)
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    packed = pack_context(folder)
    assert packed.form == "files"
    assert unpacked(packed) == {"b.txt": b"b.txt", "sub/a.txt": b"sub/a.txt"}
    assert packed.note == "2 files, 14 bytes in all: 'b.txt' (5), 'sub/a.txt' (9)"


def test_several_paths_are_named_below_the_folder_they_have_in_common(tmp_path: Path) -> None:
    for name in ("one/a.txt", "two/b.txt", "two/.hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    paths = [tmp_path / "one/a.txt", tmp_path / "two", tmp_path / "two" / ".hidden"]
    assert list(unpacked(pack_context(paths))) == ["one/a.txt", "two/.hidden", "two/b.txt"]
    assert list(unpacked(pack_context(paths[:1]))) == ["a.txt"]


def test_names_that_are_long_or_no_text_travel(tmp_path: Path) -> None:
    names = ["n" * 200, os.fsdecode(b"\xff.txt"), "ü"]
    for name in names:
        (tmp_path / name).write_text("x")
    assert sorted(unpacked(pack_context(tmp_path))) == sorted(names)


def test_many_files_are_told_in_part(tmp_path: Path) -> None:
    for number in range(25):
        (tmp_path / f"{number:02}").touch()
    assert pack_context(tmp_path).note.endswith("'19' (0), and 5 more")


def test_a_file_that_grows_meanwhile_does_not_break_the_archive(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("abc")
    packed = pack_context([tmp_path / "a"])
    (tmp_path / "a").write_text("abcdef")
    assert unpacked(packed) == {"a": b"abc"}


@pytest.mark.parametrize("change", ["shrinks", "goes"])
def test_a_file_that_is_not_there_as_it_was_is_a_configuration_error(
    tmp_path: Path, change: str
) -> None:
    (tmp_path / "a").write_text("abc")
    packed = pack_context([tmp_path / "a"])
    (tmp_path / "a").write_text("a") if change == "shrinks" else (tmp_path / "a").unlink()
    with pytest.raises(ConfigurationError, match=r"cannot read .*/a: "):
        data_of(packed)


def test_files_beyond_the_limit_are_refused_before_any_is_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    for context in (tmp_path / "large", tmp_path):
        with pytest.raises(ContextTooLarge, match="has 1,099,511,627,776 bytes, and may have 100"):
            pack_context(context, 100)


def test_what_cannot_be_read_is_a_configuration_error_with_its_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    for path, reason in (
        (tmp_path / "missing", f"cannot read {tmp_path}/missing: No such file"),
        (tmp_path / "pipe", f"cannot read {tmp_path}/pipe: it is neither a file nor a folder"),
        (tmp_path / "empty", f"there are no files in {tmp_path}/empty"),
    ):
        for context in (path, [path]):
            with pytest.raises(ConfigurationError, match=reason):
                pack_context(context)
