"""What a session offers to other libraries' agents, with a namespace in place of a session's."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rlm_kernel.guest.adapter import Adapter, Submitted
from rlm_kernel.guest.answering import ANSWER_TYPE
from rlm_kernel.guest.host import HostCallError

SEARCH = {"name": "search", "signature": "(query)", "doc": "Find things."}


def ended(value: Any = None, error: BaseException | None = None) -> SimpleNamespace:
    return SimpleNamespace(success=error is None, result=value, error_in_exec=error)


def report(adapter: Adapter) -> dict[str, Any]:
    state = adapter.answered()._repr_mimebundle_()[ANSWER_TYPE]
    told: dict[str, Any] = json.loads(state["text"])
    return told


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (HostCallError("ValueError", "no"), ValueError("no")),
        (HostCallError("UnicodeDecodeError", "no"), RuntimeError("UnicodeDecodeError: no")),
        (HostCallError("KeyboardInterrupt", ""), RuntimeError("KeyboardInterrupt: ")),
        (HostCallError("print", "no"), RuntimeError("print: no")),
    ],
)
def test_errors_of_the_host_are_raised_as_what_they_were(
    failure: HostCallError, raised: Exception
) -> None:
    def call(name: str, args: dict[str, Any]) -> Any:
        raise failure

    namespace: dict[str, Any] = {}
    Adapter(namespace, call).offer([SEARCH])
    with pytest.raises(type(raised)) as caught:
        namespace["search"]("x")
    assert str(caught.value) == str(raised)


def test_a_function_that_is_offered_no_more_is_gone_unless_it_is_the_users_by_now() -> None:
    namespace: dict[str, Any] = {}
    adapter = Adapter(namespace)
    adapter.offer([SEARCH, {**SEARCH, "name": "other"}])
    namespace["other"] = "mine"
    adapter.offer([])
    assert namespace == {"other": "mine"}


def test_a_submission_belongs_to_the_cell_that_it_ended() -> None:
    adapter = Adapter({})
    adapter.offer([], submits=True, fields=["a"])
    adapter.before_cell()
    with pytest.raises(Submitted) as submitted:
        adapter.submit((1, 2))
    adapter.after_cell(ended(error=submitted.value))
    adapter.after_cell(ended())  # the agent asks by an empty cell
    assert report(adapter)["submission"] == {"a": [1, 2]}
    adapter.before_cell()
    assert report(adapter)["submission"] is None


def test_a_cell_that_was_interrupted_has_no_result_and_gives_nothing() -> None:
    namespace: dict[str, Any] = {}
    adapter = Adapter(namespace)
    adapter.offer([], answers=True)
    adapter.before_cell()
    namespace["answer"] = {"content": "x", "ready": True}
    adapter.after_cell(None)
    assert report(adapter)["answer"] is None


def test_variables_are_set_once_and_fixed_ones_before_each_cell(tmp_path: Path) -> None:
    namespace: dict[str, Any] = {}
    adapter = Adapter(namespace)
    file = tmp_path / "value"

    def assign(name: str, text: str, *, fixed: bool) -> None:
        file.write_text(text)
        adapter.assign(name, str(file), "text", text, fixed=fixed)
        assert not file.exists()

    assign("free", "first", fixed=False)
    assign("fixed", "first", fixed=True)
    adapter.alias("second", "fixed")
    namespace.update(free="mine", fixed="mine", second="mine")
    assign("free", "first", fixed=False)
    adapter.before_cell()
    assert namespace == {"free": "mine", "fixed": "first", "second": "first"}
    assign("free", "later", fixed=False)
    assert namespace["free"] == "later"


def test_what_is_in_a_report_is_short() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise ValueError

    namespace: dict[str, Any] = {"text": "x" * 1000, "odd": Odd(), "n": 1, "_hidden": 2, "f": ended}
    adapter = Adapter(namespace)
    adapter.offer([SEARCH], answers=True)
    assert report(adapter)["variables"] == {
        "text": "<str of length 1000>",
        "odd": "<Odd>",
        "n": "1",
        "f": "<function ended>",
        "answer": "{'content': '', 'ready': False}",
    }
