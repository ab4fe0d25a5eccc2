"""What JSON counts by, beside its length."""

from __future__ import annotations

import json

import pytest

from rlm_kernel.guest.parsed_size import FREE_BYTES, NODES_MAX, QUOTES_MAX, parsed_bytes


def test_a_small_text_counts_by_its_length() -> None:
    assert parsed_bytes(b'{"data": {"text/plain": "1", "text/html": "2"}, "metadata": {}}') == 0


def test_what_strings_hold_is_no_structure() -> None:
    strings = ['[{:,"' * NODES_MAX, "\\", '\\"', "[" * NODES_MAX]
    assert parsed_bytes(json.dumps(strings).encode()) == 0


@pytest.mark.parametrize("value", [[], {}, {"": 0}])
def test_lists_objects_and_fields_count_and_have_a_limit(value: object) -> None:
    def text(count: int) -> bytes:
        return json.dumps([value] * count).encode()

    each = parsed_bytes(text(1001)) - parsed_bytes(text(1000))
    assert parsed_bytes(text(1000)) == 1000 * each + 64 - 32 - FREE_BYTES
    with pytest.raises(ValueError, match="over the limit"):
        parsed_bytes(text(NODES_MAX))


def test_items_count() -> None:
    assert parsed_bytes(json.dumps([1] * 1001).encode()) == 64 + 1000 * 32 - FREE_BYTES


def test_strings_have_a_limit() -> None:
    text = json.dumps(["["] * (QUOTES_MAX // 2)).encode()
    assert parsed_bytes(text) > 0
    with pytest.raises(ValueError, match="strings"):
        parsed_bytes(text[:-1] + b', ""]')
