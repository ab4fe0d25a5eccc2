"""Values that go into a session and come out equal."""

from __future__ import annotations

import json
from datetime import date

import pytest

from rlm_kernel.guest.values import pack, unpack


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -(2**70),
        1.5,
        float("inf"),
        "text \ud800 \U0001f600",
        b"\x00\xff",
        [],
        [1, [2, "3"]],
        (1, (2,)),
        {"a": [1, {"b": None}]},
        {1: "one", (2, 3): "pair", None: 0},
        {"$type": "dict", "items": []},
        {1, 2},
        frozenset({"x"}),
        [(b"1", {2: {3}})],
    ],
)
def test_a_plain_value_crosses_json_and_is_equal_and_of_the_same_type(value: object) -> None:
    returned = unpack(json.loads(json.dumps(pack(value))))
    assert returned == value
    assert type(returned) is type(value)


def test_a_str_to_value_dict_is_plain_json() -> None:
    assert pack({"a": [1, "b"]}) == {"a": [1, "b"]}


def test_what_is_not_plain_is_refused_with_its_place() -> None:
    with pytest.raises(TypeError, match=r"context\['rows'\]\[1\] is of type date"):
        pack({"rows": [1, date(2026, 1, 1)]})


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(RecursionError):
        pack(loop)
