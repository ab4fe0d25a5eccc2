"""Flaw 8: the prompt advertises functions that the environment does not define."""

from __future__ import annotations

import itertools
import json
import keyword
import re
from pathlib import Path
from typing import Any

import pytest

from rlm_kernel.agent import RLM_REPL, RunOptions, SidecarREPLFactory
from rlm_kernel.guest.offering import OWN_NAMES
from rlm_kernel.testing import ScriptedModelServer
from tests.agent.runs import code, model_of

NAMES = code(
    "import builtins, json\n"
    "own = {name for name in globals() if not name.startswith('_')}\n"
    "FINAL(json.dumps([sorted(own), sorted(vars(builtins))]))"
)
IN_CODE = re.compile(r"`([^`\n]+)`")
CALLED = re.compile(r"(?<![\w.'\"])([A-Za-z_]\w*)\(")
# Of the cell above, and of IPython, which a model need not be told of.
UNTOLD = OWN_NAMES | {"builtins", "json", "own"}
# What the examples for small models define themselves, or call as methods; and prose.
OF_TEXT = {"splitlines", "split"}
EXAMPLES = {"Counter", "count", "word", "line", "python", "most_common"}
OPTIONS = list(
    itertools.product(["large", "small"], [0, 1, 2], [False, True], [False, True], [False, True])
)


def lookup(word: str) -> str:
    """What a word means."""
    return word


def furnished(
    factory: SidecarREPLFactory, context: object, size: str, depth: int, **options: Any
) -> tuple[str, set[str], set[str]]:
    """What the model is told, and the names that its session really has: its own, and Python's."""
    with ScriptedModelServer([NAMES]) as server:
        limits = RunOptions(prompts=size, max_depth=depth)  # type: ignore[arg-type]
        with RLM_REPL(model_of(server), repl_factory=factory, options=limits, **options) as rlm:
            own, python = json.loads(rlm.completion(context, "What?"))
        told = "\n\n".join(message["content"] for message in server.requests[0].messages)
    return told, set(own), set(python)


def named(told: str) -> set[str]:
    """Names that the text gives as code, or calls, without those of what a call is given."""
    # An example's own code, and a schema, name what is theirs.
    prose = re.sub(r"```.*?```", "", told, flags=re.DOTALL)
    names, arguments = set(CALLED.findall(prose)), set[str]()
    for text in IN_CODE.findall(prose):
        names |= set(re.findall(r"^[A-Za-z_]\w*", text))
        arguments |= set(re.findall(r"\w+", text.partition("(")[2]))
    return names - arguments - EXAMPLES


@pytest.mark.parametrize(("size", "depth", "tools", "persistent", "files"), OPTIONS)
def test_every_name_in_the_prompt_is_in_the_session_and_the_other_way_round(
    factory: SidecarREPLFactory,
    tmp_path: Path,
    size: str,
    depth: int,
    tools: bool,
    persistent: bool,
    files: bool,
) -> None:
    (tmp_path / "a.txt").write_text("abc")
    told, own, python = furnished(
        factory,
        tmp_path if files else "abc",
        size,
        depth,
        tools=[lookup] if tools else None,
        persistent=persistent,
    )
    prose = named(told)
    later = {"context_1"}  # of the next question of a conversation
    assert "FINAL" in prose
    assert "`context`" in told
    assert prose - later - set(keyword.kwlist) <= own | python
    if size == "large":
        assert own - UNTOLD <= set(re.findall(r"\w+", told))


@pytest.mark.parametrize("size", ["large", "small"])
def test_what_files_are_said_to_have_they_have(
    factory: SidecarREPLFactory, tmp_path: Path, size: str
) -> None:
    (tmp_path / "a.txt").write_text("abc")
    told, _, _ = furnished(factory, tmp_path, size, 0)
    methods = set(re.findall(r"context\.(\w+)\(", told)) - OF_TEXT
    assert methods == {"items", "size", "open"}
    script = code(f"FINAL(all(hasattr(context, m) for m in {sorted(methods)!r}))")
    with ScriptedModelServer([script]) as server:
        rlm = RLM_REPL(model_of(server), repl_factory=factory)
        assert rlm.completion(tmp_path) == "True"


def test_a_typed_answer_is_asked_for_with_a_function_that_is_there(
    factory: SidecarREPLFactory,
) -> None:
    told, own, python = furnished(factory, "abc", "small", 0)
    assert "FINAL" in own
    with ScriptedModelServer([code("FINAL({'a': 1})")]) as server:
        RLM_REPL(model_of(server), repl_factory=factory).completion(answer_type=dict[str, int])
        asked = server.requests[0].last
    assert named(asked) <= own | python | {"dict"}
    assert "JSON schema" not in told
