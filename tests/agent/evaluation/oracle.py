"""A scripted model that works as a perfect one would, or is wrong in a way that has a known score.

It has no list of answers. By itself it solves what stands in the prompt; as an RLM it writes code
that solves what is in the session, and asks itself for the kinds of messages where the lines do
not tell them: it then reads the prompt of that sub-call.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rlm_kernel.testing import ChatRequest, Step
from tests.agent.evaluation import solver
from tests.agent.evaluation.reader import kind_of

READ = "Tell the kind of each of these messages, one in each line:\n"
_SOLVER = Path(solver.__file__).read_text()
_CODE = """
question = {question!r}
if "does not name the kind" in question:
    texts = [LINE.fullmatch(line)[4] for line in context.splitlines()]
    parts = [texts[i : i + 20] for i in range(0, len(texts), 20)]
    replies = llm_query_batched([{read!r} + "\\n".join(part) for part in parts])
    kinds = dict(zip(texts, (kind for reply in replies for kind in reply.splitlines())))
    found = solve(context, question, kinds.__getitem__)
else:
    found = solve(context, question)
FINAL(found)
"""


class Oracle:
    """The script of a `ScriptedModelServer`. `spoil` makes a wrong answer out of the right one."""

    def __init__(self, spoil: Callable[[str], str] = lambda answer: answer) -> None:
        self._spoil = spoil

    def __call__(self, request: ChatRequest) -> Step:
        if request.last.startswith(READ):
            return "\n".join(map(kind_of, request.last.removeprefix(READ).splitlines()))
        if request.messages[0]["role"] == "system":
            return self._as_rlm(request)
        return f"I have read it all.\nAnswer: {self._spoil(self._by_itself(request))}"

    def _by_itself(self, request: ChatRequest) -> str:
        context, question = split(request.last)
        return solver.solve(context, question, kind_of)

    def _as_rlm(self, request: ChatRequest) -> Step:
        question = request.messages[1]["content"].partition("Question: ")[2]
        code = _CODE.format(question=question, read=READ)
        probe = self._spoil("RIGHT")
        if probe != "RIGHT":
            code = code.replace("FINAL(found)", f"FINAL({probe!r}.replace('RIGHT', found))")
        return f"```python\n{_SOLVER}\n{code}\n```"


def split(prompt: str) -> tuple[str, str]:
    """Context and question of a plain prompt."""
    start = prompt.rindex("\n\nThe text h")
    return prompt[:start], prompt[start:].strip()
