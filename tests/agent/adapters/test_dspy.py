"""dspy's own modules, run by a scripted model over real HTTP, with their code in real sessions."""

from __future__ import annotations

import asyncio
import importlib.util
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dspy
import pytest

from rlm_kernel.agent import SidecarREPLFactory
from rlm_kernel.agent.adapters.dspy import InterpreterFactory, create_interpreter_factory
from rlm_kernel.errors import ConfigurationError
from rlm_kernel.testing import ChatRequest, Failure, Script, ScriptedModelServer, Step

pytestmark = pytest.mark.filterwarnings("ignore:Passing OpenAI-style message")  # dspy itself does


@pytest.fixture
def interpreters(factory: SidecarREPLFactory) -> InterpreterFactory:
    return InterpreterFactory(factory)


def reply(**fields: str) -> str:
    """What a model says where dspy asks for fields."""
    parts = [f"[[ ## {name} ## ]]\n{value}" for name, value in fields.items()]
    return "\n\n".join([*parts, "[[ ## completed ## ]]"])


def act(code: str) -> str:
    return reply(reasoning="Let me see.", code=f"```python\n{code}\n```")


class Talk:
    """A scripted model that dspy speaks to, and what it was told."""

    def __init__(self, script: Script) -> None:
        self.server = ScriptedModelServer(script)
        self.model = dspy.LM(
            self.server.model_name,
            api_base=self.server.base_url,
            api_key="a-test-key",
            cache=False,
            num_retries=0,
        )

    def __enter__(self) -> Talk:
        self._context = dspy.context(lm=self.model)
        self._context.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._context.__exit__(*error)
        self.server.close()

    @property
    def told(self) -> list[str]:
        return [request.last for request in self.server.requests]


def test_an_rlm_of_dspy_works_in_a_session(interpreters: InterpreterFactory) -> None:
    script = [
        act("lines = text.splitlines()\nprint(len(lines))"),
        act("kinds = llm_query_batched([f'Kind of {line}?' for line in lines])\nprint(kinds)"),
        "fruit",
        "fruit",
        act("SUBMIT(count=len(lines), kinds=kinds)"),
    ]
    with Talk(script) as talk:
        rlm = dspy.RLM(
            "text: str -> count: int, kinds: list[str]", interpreter_factory=interpreters
        )
        prediction = rlm(text="an apple\na pear")
    assert (prediction.count, prediction.kinds) == (2, ["fruit", "fruit"])
    assert [step["output"] for step in prediction.trajectory] == [
        "2",
        "['fruit', 'fruit']",
        "FINAL: {'count': 2, 'kinds': ['fruit', 'fruit']}",
    ]
    assert sorted(talk.told[2:4]) == ["Kind of a pear?", "Kind of an apple?"]
    instructions = talk.server.requests[0].messages[0]["content"]
    assert interpreters.execution_instructions in instructions


def test_an_error_shows_the_output_before_it_and_loses_no_state(
    interpreters: InterpreterFactory,
) -> None:
    script = [
        act("text = text.upper()\nprint('so far')\n{}['missing']"),
        act("SUBMIT(text)"),
    ]
    with Talk(script) as talk:
        prediction = dspy.RLM("text -> answer", interpreter_factory=interpreters)(text="abc")
    assert prediction.answer == "ABC"
    assert "[Error] KeyError: 'missing'\nso far\n" in talk.told[1]


def test_a_wrong_submission_can_be_mended(interpreters: InterpreterFactory) -> None:
    script = [act("SUBMIT('many')"), act("SUBMIT()"), act("SUBMIT(3)")]
    with Talk(script) as talk:
        prediction = dspy.RLM("text -> count: int", interpreter_factory=interpreters)(text="abc")
    assert prediction.count == 3
    assert "[Type Error] count: expected int" in talk.told[1]
    assert "SUBMIT takes count" in talk.told[2]


def test_tools_sub_agents_and_failing_calls(interpreters: InterpreterFactory) -> None:
    def lookup(key: str, default: str = "nothing") -> str:
        """Look a key up."""
        return {"a": "alpha"}.get(key, default)

    script: list[Step] = [
        act("print(lookup('a'), lookup(key='b'), lookup('c', 'C'))"),
        act("import dspy\nask = dspy.Predict('question -> answer')\nask(question='How?').answer"),
        reply(answer="So."),
        act("llm_query('fails')"),
        Failure(400, "the model is out"),
        act("SUBMIT('done')"),
    ]
    with Talk(script) as talk:
        rlm = dspy.RLM("text -> answer", tools=[lookup], interpreter_factory=interpreters)
        assert rlm(text="abc").answer == "done"
    assert "alpha nothing C" in talk.told[1]
    assert "'So.'" in talk.told[3]
    assert "the model is out" in talk.told[5]


def test_a_model_that_never_submits_is_asked_for_the_outputs(
    interpreters: InterpreterFactory,
) -> None:
    with Talk([act("x = 1"), act("print(x)"), reply(answer="guessed")]) as talk:
        rlm = dspy.RLM("text -> answer", max_iters=2, interpreter_factory=interpreters)
        assert rlm(text="abc").answer == "guessed"
    assert "1" in talk.told[2]


def test_the_configured_factory_and_asynchronous_calls_work_too(
    interpreters: InterpreterFactory,
) -> None:
    async def lookup(key: str) -> str:
        await asyncio.sleep(0)
        return key * 2

    with Talk([act("SUBMIT(lookup(text))")]), dspy.context(interpreter_factory=interpreters):
        prediction = asyncio.run(dspy.RLM("text -> answer", tools=[lookup]).acall(text="ab"))
    assert prediction.answer == "abab"


def test_runs_side_by_side_have_sessions_of_their_own(interpreters: InterpreterFactory) -> None:
    def script(request: ChatRequest) -> Step:
        # The history is part of what is asked: a second turn knows what the first one showed.
        return act("SUBMIT(mine)") if "Step 1" in request.last else act("mine = text * 2; mine")

    with Talk(script):
        rlm = dspy.RLM("text -> answer", interpreter_factory=interpreters)
        model = dspy.settings.lm

        def run(text: str) -> str:
            with dspy.context(lm=model):
                return str(rlm(text=text).answer)

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(run, "abcd")) == ["aa", "bb", "cc", "dd"]


def test_an_rlm_inside_of_an_rlm_has_a_session_of_its_own(
    interpreters: InterpreterFactory,
) -> None:
    script = [
        act("import dspy\ninner = dspy.RLM('word -> answer')\ninner(word='in').answer, word"),
        act("word = word + 'ner'\nSUBMIT(word)"),
        act("SUBMIT(word)"),
    ]
    with Talk(script) as talk:
        rlm = dspy.RLM("word -> answer", interpreter_factory=interpreters)
        assert rlm(word="out").answer == "out"
    assert "('inner', 'out')" in talk.told[2]


@pytest.mark.filterwarnings("ignore:ProgramOfThought is deprecated")
def test_a_program_of_thought_works_in_a_session(interpreters: InterpreterFactory) -> None:
    script = [
        reply(reasoning="Compute.", generated_code="```python\nSUBMIT({'x': 6 * 7})\n```"),
        reply(reasoning="Read.", answer="42"),
    ]
    with Talk(script) as talk:
        program = dspy.ProgramOfThought("question -> answer", interpreter_factory=interpreters)
        assert program(question="6 times 7?").answer == "42"
    assert '{"output": {"x": 42}}' in talk.told[1]


def test_without_dspy_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'rlm-kernel\[dspy\]'"):
        create_interpreter_factory()


def test_the_factory_is_for_the_manager_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WASM_MANAGER_SERVICE_URL", "http://manager:1234")
    assert create_interpreter_factory().sessions.url == "http://manager:1234"
