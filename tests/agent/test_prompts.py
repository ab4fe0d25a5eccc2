"""What models are told is true of their session, and fits their question into place."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rlm_kernel.agent.prompts import Size, question, system_prompt
from rlm_kernel.guest.rlm import Functions

CALLED = re.compile(r"`?\b([A-Za-z_]\w*)\(")
# Of Python itself, and of the examples.
NOT_OURS = {"Counter", "print", "splitlines", "split", "most_common", "sum"}


def offered(*, sub_calls: bool, recursion: bool) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    Functions(namespace, lambda name, args: None).offer(sub_calls=sub_calls, recursion=recursion)
    return namespace


@pytest.mark.parametrize("size", ["large", "small"])
@pytest.mark.parametrize(("sub_calls", "recursion"), [(False, False), (True, False), (True, True)])
def test_a_prompt_names_only_functions_that_the_session_has(
    size: Size, sub_calls: bool, recursion: bool
) -> None:
    prompt = system_prompt(size, sub_calls=sub_calls, recursion=recursion)
    named = set(CALLED.findall(prompt)) - NOT_OURS
    assert "FINAL" in named
    assert named <= offered(sub_calls=sub_calls, recursion=recursion).keys()


def test_a_large_model_learns_of_every_function_there_is() -> None:
    prompt = system_prompt("large", sub_calls=True, recursion=True)
    missing = [name for name in offered(sub_calls=True, recursion=True) if name not in prompt]
    assert missing == []


def test_the_prompt_for_small_models_is_short() -> None:
    assert len(system_prompt("small").split()) < 200 < len(system_prompt("large").split())


@pytest.mark.parametrize("size", ["large", "small"])
def test_braces_in_a_question_or_a_note_are_kept(size: Size) -> None:
    opening = question("what is {this}?", "dict", "1 entry ({query})", size=size)
    assert "what is {this}?" in opening
    assert "`context` is a dict: 1 entry ({query})." in opening
