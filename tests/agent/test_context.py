"""Contexts, from Python values and from files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlm_kernel.agent.context import pack_context, read_context
from rlm_kernel.errors import ConfigurationError


def test_text_travels_as_utf_8_even_with_lone_surrogates() -> None:
    packed = pack_context("a\nb \ud800")
    assert (packed.form, packed.data) == ("text", b"a\nb \xed\xa0\x80")
    assert (packed.type_name, packed.note) == ("str", "5 characters in 2 lines")


def test_bytes_travel_as_they_are() -> None:
    packed = pack_context(bytearray(b"\x00\xff"))
    assert (packed.form, packed.data, packed.type_name) == ("bytes", b"\x00\xff", "bytes")


def test_plain_data_travels_as_json_with_a_note_of_what_it_is() -> None:
    packed = pack_context({"a": [1], "b": None})
    assert (packed.form, json.loads(packed.data)) == ("json", {"a": [1], "b": None})
    assert packed.note == "2 entries ('a', 'b'), 18 bytes as JSON"


@pytest.mark.parametrize(
    "value", [object(), [1, {2: object()}], [10**5000]], ids=["object", "inside", "huge int"]
)
def test_a_context_that_is_not_plain_data_is_a_configuration_error(value: object) -> None:
    with pytest.raises(ConfigurationError, match="cannot go into a session"):
        pack_context(value)


def test_a_context_that_holds_itself_is_a_configuration_error() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(ConfigurationError, match="holds itself"):
        pack_context(loop)


def test_one_file_is_its_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("größer\r\n".encode())
    assert read_context([tmp_path / "a.txt"]) == "größer\r\n"


def test_a_file_that_is_not_utf_8_is_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\xff\xfe")
    assert read_context([tmp_path / "a.bin"]) == b"\xff\xfe"


def test_several_files_are_a_dict_by_path(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_text(path.name)
    assert read_context(paths) == {str(paths[0]): "a", str(paths[1]): "b"}


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_file_that_cannot_be_read_is_a_configuration_error_with_its_name(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"cannot read {tmp_path / name}"):
        read_context([tmp_path / name])
