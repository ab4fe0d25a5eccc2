"""Values as JSON has them: with a text for what it has not, or refused."""

from __future__ import annotations

import enum
import json
from dataclasses import InitVar, dataclass
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from rlm_kernel.guest.plain_data import as_json, plain


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    when: date
    scale: InitVar[int] = 1
    unit: ClassVar[str] = "m"


class Blob(BaseModel):
    data: bytes


class Array:
    def tolist(self) -> list[int]:
        return [1, 2]


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


SIMPLER: list[tuple[Any, Any]] = [
    ([1, "a", None, 2.5, True], [1, "a", None, 2.5, True]),
    ((1, (2,)), [1, [2]]),
    ([Point(1, date(2026, 1, 2))], [{"x": 1, "when": "2026-01-02"}]),
    (Colour.RED, "red"),
    (Blob(data=b"text"), {"data": "text"}),
    ({"of": Array()}, {"of": [1, 2]}),
    (1j, "1j"),
]


@pytest.mark.parametrize(("value", "simpler"), SIMPLER)
def test_what_simpler_data_stands_for_is_the_same_in_both_forms(value: Any, simpler: Any) -> None:
    assert plain(value) == simpler
    assert json.loads(as_json(value)) == simpler


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({1: {"b"}, "c": frozenset({2})}, {"1": ["b"], "c": [2]}),
        (Point, "<class 'tests.guest.test_plain_data.Point'>"),
        (Blob(data=b"\xff"), "Blob(data=b'\\xff')"),
        ([Unshowable()], ["<Unshowable>"]),
        ([10**5000], ["<int of 16,610 bits>"]),
        ([10**4000], [10**4000]),
    ],
)
def test_what_json_lacks_is_a_text_that_shows_it(value: Any, text: Any) -> None:
    assert plain(value) == text
    assert json.loads(json.dumps(plain(value))) == text


@pytest.mark.parametrize(
    ("value", "written"),
    [({1: {2}}, '{"1": [2]}'), (b"text", '"text"'), (Decimal("1.50"), '"1.50"')],
)
def test_whole_values_are_written(value: Any, written: str) -> None:
    assert as_json(value) == written


@pytest.mark.parametrize(
    ("value", "error", "reason"),
    [
        ([object()], TypeError, "a value of type object is not plain data"),
        (Point, TypeError, "a value of type type is not plain data"),
        ({(1, 2): 3}, TypeError, "keys must be str"),
        (b"\xff", ValueError, "can't decode"),
        ([10**5000], ValueError, "Exceeds the limit"),
    ],
)
def test_what_is_no_data_as_a_whole_is_refused(
    value: Any, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        as_json(value)
