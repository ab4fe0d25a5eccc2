"""A run by itself: that it ends, and what is left of it then."""

from __future__ import annotations

import gc
import weakref

from rlm_kernel.agent.factory import SidecarREPLFactory
from rlm_kernel.agent.models.model import LiteLLMModel
from rlm_kernel.agent.service.question import Question
from rlm_kernel.agent.service.record import Record
from rlm_kernel.agent.service.run import Run
from rlm_kernel.agent.setting import RunOptions
from rlm_kernel.agent.trajectory import Scrubber
from rlm_kernel.errors import RunCancelled, SandboxUnavailable
from rlm_kernel.http.messages import Wire


class Words(list[str]):
    """A context that can be seen to go away."""


def run_about(context: object) -> Run:
    """Without a manager, so that it fails unless it is cancelled before."""
    model = LiteLLMModel("openai/scripted")
    question = Question(context, "what?", model, model, RunOptions())
    factory = SidecarREPLFactory("http://127.0.0.1:9")
    return Run(question, factory, Record(1 << 20, []), Scrubber(), _unwatched)


def _unwatched(name: str, message: Wire) -> None:
    """Nobody looks."""


async def test_a_run_that_is_cancelled_before_it_does_anything_ends() -> None:
    run = run_about("a text")
    run.cancel()
    ending = await run.ending()
    assert isinstance(ending.error, RunCancelled)
    assert run.status == "cancelled"
    await run.gone()


async def test_a_run_that_has_failed_holds_nothing_of_its_context() -> None:
    context = Words(["a", "b"])
    seen = weakref.ref(context)
    run = run_about(context)
    del context
    ending = await run.ending()
    assert isinstance(ending.error, SandboxUnavailable)
    await run.gone()
    gc.collect()
    assert seen() is None
    assert run.summary().query == "what?"
