"""Answers of a type: told, crossing as JSON, checked, and tried again with all state kept."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from rlm_kernel.agent import RLM_REPL, Event, RunFailed, SidecarREPLFactory
from rlm_kernel.agent.answer_type import AnswerType
from rlm_kernel.agent.environment import Answer
from rlm_kernel.errors import AnswerMismatch, ConfigurationError
from rlm_kernel.testing import ScriptedModelServer
from tests.agent.runs import code, collect, model_of, run_script

BOMB = {
    "$ref": "#/$defs/0",
    "$defs": {
        **{str(n): {"allOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(40)},
        "40": {},
    },
}


class Item(BaseModel):
    name: str
    price: float = Field(gt=0)


class Receipt(BaseModel):
    items: list[Item]
    paid: datetime.date
    ready: bool = True


SCHEMA = {
    "type": "object",
    "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/item"}}},
    "required": ["items"],
    "$defs": {"item": {"type": "object", "required": ["name"]}},
}
RIGHT = "{'items': [{'name': 'tea', 'price': 2}], 'paid': '2026-11-29'}"
TEA = Receipt(items=[Item(name="tea", price=2)], paid=datetime.date(2026, 11, 29))


@pytest.mark.parametrize(
    "reply",
    [
        code(f"FINAL({RIGHT})"),
        code(f"r = {RIGHT}\nFINAL_VAR('r')"),
        code(f"SUBMIT(**{RIGHT})"),
        code(f"answer['content'] = {RIGHT}\nanswer['ready'] = True"),
        code(f"import json\nFINAL(json.dumps({RIGHT}))"),
        code(f"import datetime\nFINAL({RIGHT} | {{'paid': datetime.date(2026, 11, 29)}})"),
        f"FINAL({RIGHT})",
        'FINAL({"items": [{"name": "tea", "price": 2.0}], "paid": "2026-11-29", "ready": true})',
        "SUBMIT(items=[{'name': 'tea', 'price': 2}], paid='2026-11-29')",
    ],
)
def test_an_answer_of_the_right_form_becomes_the_model_it_is_of(
    factory: SidecarREPLFactory, reply: str
) -> None:
    with ScriptedModelServer([reply]) as server:
        rlm = RLM_REPL(model_of(server), repl_factory=factory)
        assert rlm.completion(answer_type=Receipt) == TEA
        assert '"paid"' in server.requests[0].last
        assert rlm.last_answer is not None
        assert rlm.last_answer.value == TEA


def test_a_mismatch_is_told_with_its_reasons_and_the_session_is_kept(
    factory: SidecarREPLFactory,
) -> None:
    wrong = "x = 41\nprint('seen')\nFINAL({'items': [{'name': 'tea', 'price': -1}]})"
    right = "x += 1\nFINAL({'items': [{'name': str(x), 'price': 1}], 'paid': '2026-01-01'})"
    record = run_script(factory, [code(wrong), code(right)], answer_type=Receipt)
    assert record.answer.value.items[0].name == "42"
    assert record.answer.turns == 2
    told = record.told[1]
    assert told.startswith("Output:\nseen\n\nYour answer was not taken")
    assert "- at ['items'][0]['price']: Input should be greater than 0, not -1" in told
    assert "- at ['paid']: Field required" in told
    assert "The session and its variables are as they were." in told


def test_an_answer_that_is_no_plain_data_is_told_so(factory: SidecarREPLFactory) -> None:
    script = [code("FINAL({'items': object()})"), code("FINAL({(1, 2): 3})"), code("FINAL([])")]
    told = run_script(factory, script, answer_type=list).told
    assert "a value of type object is not plain data" in told[1]
    assert "keys must be str" in told[2]


def test_without_an_answer_of_the_right_form_the_run_fails_with_the_last_one(
    factory: SidecarREPLFactory,
) -> None:
    async def run() -> None:
        with ScriptedModelServer([code("FINAL('many')"), "FINAL(some)"]) as server:
            rlm = RLM_REPL(model_of(server), None, 1, repl_factory=factory, answer_type=int)
            events: list[Event] = []

            async def watch() -> None:
                async for event in rlm.astream():
                    events.append(event)

            with pytest.raises(AnswerMismatch, match="should be a valid integer") as caught:
                await watch()
            assert caught.value.partial_answer == "some"
            assert isinstance(events[-1], RunFailed)
            assert (events[-1].code, events[-1].partial_answer) == ("answer_mismatch", "some")

    asyncio.run(run())


def test_a_forced_answer_is_checked_too(factory: SidecarREPLFactory) -> None:
    record = run_script(factory, [code("x = [1]"), "FINAL(x)"], answer_type=list, max_iterations=1)
    assert (record.answer.value, record.answer.forced) == ([1], True)


def test_a_schema_is_enough(factory: SidecarREPLFactory) -> None:
    script = [code("FINAL({'items': [{}]})"), code("FINAL({'items': ({'name': 1},)})")]
    record = run_script(factory, script, answer_type=SCHEMA)
    assert record.answer.value == {"items": [{"name": 1}]}
    assert record.answer.text == '{"items": [{"name": 1}]}'
    assert "- at ['items'][0]: 'name' is a required property" in record.told[1]


def test_the_type_of_one_question_is_not_that_of_the_next(factory: SidecarREPLFactory) -> None:
    with ScriptedModelServer([code("FINAL(5)"), code("FINAL(5)")]) as server:
        rlm = RLM_REPL(model_of(server), repl_factory=factory)
        assert rlm.completion(answer_type=float) == 5.0
        assert rlm.completion() == "5"
        assert "JSON schema" not in server.requests[1].last


def test_a_large_answer_crosses_whole(factory: SidecarREPLFactory) -> None:
    record = run_script(factory, [code("FINAL(list(range(300_000)))")], answer_type=list[int])
    assert record.answer.value == list(range(300_000))


def test_the_result_says_more(factory: SidecarREPLFactory) -> None:
    with ScriptedModelServer([code("x = 1"), code("FINAL([1, 2])")]) as server:
        rlm = RLM_REPL(model_of(server), repl_factory=factory)
        result = rlm.run("abc", "Which?", answer_type=list[int])
    assert (result.response, result.value, str(result)) == ("[1, 2]", [1, 2], "[1, 2]")
    assert (result.root_model, result.prompt) == ("openai/scripted", "Which?")
    assert (result.turns, result.forced, result.source) == (2, False, "FINAL")
    assert result.execution_time > 0
    assert result.usage_summary is result.usage.costs


@pytest.mark.parametrize(
    ("kind", "answer", "value"),
    [
        (int, Answer("5", "text"), 5),
        (str, Answer("5", "text"), "5"),
        (bool, Answer("True", "text"), True),
        (list[str], Answer("['a']", "text"), ["a"]),
        (dict[int, str], Answer("", "FINAL", '{"1": "a"}'), {1: "a"}),
        (Literal["yes", "no"], Answer("yes", "text"), "yes"),
        (set[int], Answer("", "FINAL", "[1, 1]"), {1}),
        ({"type": "string"}, Answer("x", "FINAL"), "x"),
        ({}, Answer("", "FINAL", "null"), None),
    ],
)
def test_types_of_every_kind_are_read(kind: Any, answer: Answer, value: object) -> None:
    assert AnswerType.of(kind).read(answer) == value


def test_a_strict_model_takes_what_json_has() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        when: datetime.date

    read = AnswerType.of(Strict).read
    assert read(Answer("", "FINAL", '{"when": "2026-11-29"}')).when.year == 2026
    with pytest.raises(AnswerMismatch):
        read(Answer("", "FINAL", '{"when": 5.5}'))


def test_many_problems_are_told_in_part() -> None:
    with pytest.raises(AnswerMismatch) as caught:
        AnswerType.of(list[int]).read(Answer("", "FINAL", str(["x" * 500] * 30).replace("'", '"')))
    assert str(caught.value).endswith("and 20 more")
    assert len(str(caught.value)) < 2_500


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ({"type": "nonsense"}, "no JSON schema"),
        ({"properties": {"a": {"$ref": "http://example.org/x"}}}, "nothing is fetched"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "without an end"),
        (BOMB, "without an end"),
        ({"type": "string", "pattern": "(?=a)"}, "not one of Rust's"),
        ({"patternProperties": {"a": {}}}, "'patternProperties', which is not done"),
        ({"items": {"$schema": "http://json-schema.org/draft-07/schema#"}}, "'.schema', which"),
        (object(), "answers cannot be of type"),
        (type(lambda: None), "answers cannot be of type"),
    ],
)
def test_what_is_no_type_is_a_configuration_error(kind: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        AnswerType.of(kind)


@pytest.mark.parametrize("schema", [{}, {"items": {"$ref": "#"}}])
def test_an_answer_that_is_nested_too_deep_is_a_mismatch(schema: Any) -> None:
    with pytest.raises(AnswerMismatch, match="cannot be read"):
        AnswerType.of(schema).read(Answer("", "FINAL", json="[" * 10**5 + "]" * 10**5))


@pytest.mark.parametrize("draft", ["draft-07/schema#", "draft/2020-12/schema"])
def test_patterns_take_linear_time(draft: str) -> None:
    scheme = "http" if "07" in draft else "https"
    schema = {"$schema": f"{scheme}://json-schema.org/{draft}", "items": {"pattern": "^(a+)+$"}}
    kind = AnswerType.of(schema)
    assert kind.read(Answer("", "FINAL", json='["aaa"]')) == ["aaa"]
    with pytest.raises(AnswerMismatch, match="does not match"):
        kind.read(Answer("", "FINAL", json=f'["{"a" * 1000}!"]'))


def test_a_schema_that_lacks_a_part_of_itself_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="lacks what it refers to"):
        AnswerType.of({"$ref": "#/$defs/x"}).read(Answer("1", "text"))


def test_collected_events_carry_the_value(factory: SidecarREPLFactory) -> None:
    with ScriptedModelServer([code("FINAL(5)")]) as server:
        rlm = RLM_REPL(model_of(server), repl_factory=factory, answer_type=int)
        assert getattr(asyncio.run(collect(rlm, "", "?"))[-1], "value", None) == 5


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5_000, "{", "nothing"])
def test_json_that_cannot_be_read_does_not_fit(text: str) -> None:
    """A session's code can send as `json` whatever it likes."""
    with pytest.raises(AnswerMismatch, match="cannot be read"):
        AnswerType.of({"type": "array"}).read(Answer("x", "FINAL", json=text))
