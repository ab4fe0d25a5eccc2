"""JSON for messages, also of what JSON does not have."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from rlm_kernel.kernel.packing import pack, unpack


@pytest.mark.parametrize(
    "value", [{"a": [1, 2.5, None, True, "é\U0001f600"]}, [], "text", {"nested": {"deep": {}}}]
)
def test_what_json_has_comes_back_unchanged(value: object) -> None:
    assert unpack(pack(value)) == value


def test_floats_that_are_not_finite_become_text() -> None:
    value = {"a": [float("nan"), float("-inf"), 1.0], "b": (float("inf"),)}
    assert unpack(pack(value)) == {"a": ["nan", "-inf", 1.0], "b": ["inf"]}


def test_a_lone_surrogate_survives_in_valid_utf8() -> None:
    packed = pack({"text": "\udc80 \ud800 é"})
    assert json.loads(packed.decode("utf-8")) == {"text": "\udc80 \ud800 é"}


def test_a_surrogate_beside_a_float_that_is_not_finite_is_packed_too() -> None:
    assert unpack(pack(["\ud800", float("nan")])) == ["\ud800", "nan"]


def test_dates_become_iso_text() -> None:
    assert unpack(pack(datetime(2026, 1, 2, tzinfo=UTC))) == "2026-01-02T00:00:00Z"


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"nonsense"])
def test_what_is_not_json_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        unpack(data)
