"""What models are told fits their question into place; that it is true, flaws/ holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlm_kernel.agent.context import pack_context
from rlm_kernel.agent.prompts import Abilities, Earlier, Size, question, system_prompt

TOOL = {"name": "price", "signature": "(item: str) -> float", "doc": "What it costs.\n\nIn euros."}


def test_the_prompt_for_small_models_is_short() -> None:
    small, large = (system_prompt(size, Abilities()) for size in ("small", "large"))
    assert len(small.split()) < 200 < len(large.split())


@pytest.mark.parametrize("size", ["large", "small"])
def test_braces_in_a_question_or_a_note_are_kept(size: Size) -> None:
    opening = question("what is {this}?", pack_context({"{query}": 1}), size=size)
    assert "what is {this}?" in opening
    assert "`context` is a dict: 1 entries ('{query}'), 13 bytes as JSON." in opening


@pytest.mark.parametrize("size", ["large", "small"])
def test_a_tool_is_shown_as_it_is_called_with_its_documentation(size: Size) -> None:
    prompt = system_prompt(size, Abilities(tools=(TOOL,)))
    assert "- `price(item: str) -> float`: What it costs.\n  \n  In euros." in prompt
    assert "price(" not in system_prompt(size, Abilities())


def test_a_prompt_of_ones_own_is_used_as_it_is_and_the_tools_follow() -> None:
    own = "Use {context}. %s {0} {"
    assert system_prompt("large", Abilities(), own) == own
    with_tool = system_prompt("large", Abilities(tools=(TOOL,)), own)
    assert with_tool.startswith(f"{own}\n\n- `price(item: str)")


def test_the_schema_of_the_answer_is_told_with_the_question() -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    opening = question("Who?", pack_context("x"), schema=schema)
    assert "`FINAL({'name': ...})`" in opening
    assert json.loads(opening.split("```json\n")[1].removesuffix("```")) == schema


def test_files_are_told_with_how_to_read_them(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abc")
    opening = question("What?", pack_context(tmp_path))
    assert "`context[path]`" in opening
    assert "It has 1 file, 3 bytes in all: 'a.txt' (3)." in opening


def test_a_small_model_is_told_what_earlier_questions_left_and_nothing_before_there_is_any() -> (
    None
):
    def asked(contexts: int, answers: int) -> str:
        opening = question(
            "And?", pack_context("x"), size="small", earlier=Earlier(contexts, answers)
        )
        return opening.partition("\n")[0].partition(". ")[2]

    history = '`history` (earlier questions, each a dict with "query" and "answer")'
    assert asked(0, 0) == ""
    assert asked(0, 1) == f"Also defined: {history}."
    assert asked(1, 1) == f"Also defined: `context_0` (earlier data), {history}."
    assert asked(3, 0) == "Also defined: `context_0` to `context_2` (earlier data)."
    large = question("And?", pack_context("x"), earlier=Earlier(1, 1))
    assert "history" not in large, "its instructions have it"


def test_what_has_not_changed_and_what_is_lost_is_told() -> None:
    assert "`context` is what it was." in question("And?", None)
    lost = question("And?", None, lost=True)
    assert lost.startswith("The session in which you worked is gone, and with it all variables")
