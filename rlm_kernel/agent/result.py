"""The result of a run, for those who want to know more than the answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from rlm_kernel.agent.events import AnswerGiven, AnswerSource
from rlm_kernel.agent.ledger.costs import CostSummary
from rlm_kernel.agent.ledger.usage import Usage


@dataclass(frozen=True, slots=True)
class RunResult:
    """An answer with what is known of it; fields are called as in other RLM libraries.

    `prompt` is the question, `response` the answer's text, and `value` it as the type that was
    asked for (the text where none was). `execution_time` is in seconds, `usage` what the whole
    tree of runs took. `forced` says that the model had used up its turns and was made to answer;
    `turns` counts them, the forced one included.
    """

    root_model: str
    prompt: str
    response: str
    value: Any = field(repr=False)
    execution_time: float
    source: AnswerSource
    turns: int
    forced: bool
    usage: Usage = field(repr=False)

    @classmethod
    def of(cls, answer: AnswerGiven, model: str, query: str, seconds: float) -> Self:
        """The result that ends with `answer`."""
        return cls(
            model,
            query,
            answer.text,
            answer.value,
            seconds,
            answer.source,
            answer.turns,
            answer.forced,
            answer.usage,
        )

    @property
    def usage_summary(self) -> CostSummary:
        """The model calls of `usage`."""
        return self.usage.costs

    def __str__(self) -> str:
        return self.response
