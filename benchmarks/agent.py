"""Measures what an agent's loop takes beside its model, ours and the official library's in turn.

The model takes no time and is a process of its own. It measures from each of its replies to the
next request, and so all that its client does: reading the reply, running the code, making the next
prompt, and the client library, which is litellm with ours and openai's with theirs. Medians, with
the 10th and 90th percentiles. For what the library's isolated environments are here, see
`benchmarks.official`; the library comes with the extra `rlms`.

python -m benchmarks.agent [--turns 10] [--rounds 10] [--runs 20]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks import official
from benchmarks.connection import Connection
from benchmarks.model import FAN, MODEL, SLOW_SECONDS, ModelProcess
from benchmarks.report import single, spread
from rlm_kernel.agent import (
    RLM_REPL,
    Completion,
    LiteLLMModel,
    Message,
    Model,
    RunOptions,
    SidecarREPLFactory,
)
from rlm_kernel.agent.adapters import rlms
from rlm_kernel.agent.manager_process import ManagerProcess

WARMING_TURNS = 3
"""The first turns of a run import, connect and allocate; later ones do not."""

RUN_TURNS = 5
ISOLATED = "rlms, isolated as at E2B"

Run = Callable[[str, int], object]
"""A run with a model that says this, for so many turns."""


@dataclass(frozen=True, slots=True)
class BareModel:
    """A model without a client library: what is left is the loop's."""

    base_url: str
    name: str = "bare"

    async def complete(
        self, messages: Sequence[Message], *, max_output_tokens: int | None = None
    ) -> Completion:
        body = {"messages": [{"role": each.role, "content": each.content} for each in messages]}
        async with Connection(self.base_url) as connection:
            path = f"{self.base_url}/chat/completions"
            _, answer = await connection.ask("POST", path[path.index("/", 8) :], body)
        return Completion(answer["choices"][0]["message"]["content"], 1, 1, 0.0)


class Contenders:
    """Runs of each kind, all of which ask the same model process."""

    def __init__(self, model: ModelProcess, manager: ManagerProcess) -> None:
        self.model = model
        self._sessions = SidecarREPLFactory(manager.url, manager.token)

    def with_turns(self) -> dict[str, Run]:
        """Those that can be asked for turns."""
        return {
            "this package": lambda what, turns: self._ours(what, turns, self._litellm),
            "this package without litellm": lambda what, turns: self._ours(what, turns, self._bare),
            "rlms, local (not isolated)": self._library("local"),
            "rlms, ipython in a subprocess": self._library("ipython"),
            "rlms on sessions of this package": self._library_on_sessions,
            ISOLATED: self._library_isolated,
        }

    def client(self, what: str, turns: int) -> None:
        """litellm alone, without a loop."""

        async def ask() -> None:
            messages = [Message("user", "What is it?" * 100)]
            for _ in range(turns + 1):
                await self._litellm(what).complete(messages)

        asyncio.run(ask())

    async def complete(self, model: Model, sub_model: Model, turns: int) -> str:
        options = RunOptions(max_iterations=turns)
        rlm = RLM_REPL(model, sub_model, repl_factory=self._sessions, options=options)
        return await rlm.acompletion("some text", "What is it?")

    def fan_ours(self) -> str:
        return asyncio.run(self.complete(self._litellm("fan"), self._litellm("slow"), 1))

    def fan_library(self) -> str:
        return official.run(self.model, "fan", 1, "local", asks="slow")

    async def run(self) -> None:
        """One whole run of ours."""
        await self.complete(self._litellm("turns"), self._litellm("quick"), RUN_TURNS)

    def _ours(self, what: str, turns: int, model: Callable[[str], Model]) -> str:
        return asyncio.run(self.complete(model(what), model("quick"), turns))

    def _litellm(self, what: str) -> LiteLLMModel:
        base = self.model.base_url(what)
        return LiteLLMModel(f"openai/{MODEL}", api_base=base, api_key="-")

    def _bare(self, what: str) -> BareModel:
        return BareModel(self.model.base_url(what))

    def _library(self, environment: str) -> Run:
        return lambda what, turns: official.run(self.model, what, turns, environment)

    def _library_on_sessions(self, what: str, turns: int) -> str:
        with rlms.install(sessions=self._sessions, name="docker"):
            return official.run(self.model, what, turns, "docker")

    def _library_isolated(self, what: str, turns: int) -> str:
        with official.isolated():
            return official.run(self.model, what, turns, "e2b")


def compare(
    contenders: Contenders, runs: dict[str, Run], what: str, turns: int, rounds: int
) -> None:
    """Each in turn, several times: what disturbs one then disturbs the others too."""
    taken: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        for name, run in runs.items():
            if name != ISOLATED or number < 1 + rounds // 5:  # it takes its time
                taken[name] += per_turn(contenders.model, run, what, turns)
    ours = statistics.median(next(iter(taken.values())))
    for name, milliseconds in taken.items():
        spread(name, milliseconds, "ms")
        if milliseconds is not taken[next(iter(taken))]:
            single("    divided by this package's", statistics.median(milliseconds) / ours, "")


def per_turn(model: ModelProcess, run: Run, what: str, turns: int) -> list[float]:
    """Milliseconds of each turn after the first ones, without the models' own."""
    requests = 2 if what == "asks" else 1
    model.gaps()
    with contextlib.redirect_stdout(io.StringIO()):
        run(what, turns)
    gaps = model.gaps()[WARMING_TURNS * requests :]
    return [sum(gaps[at : at + requests]) for at in range(0, len(gaps) - requests + 1, requests)]


def fan_out(contenders: Contenders) -> None:
    print(f"a run that asks {FAN} questions at once, of {SLOW_SECONDS:g} s each, seconds")
    for name, run in {
        "this package": contenders.fan_ours,
        "rlms, local (not isolated)": contenders.fan_library,
    }.items():
        began = time.perf_counter()
        assert run() == str(FAN)
        single(name, time.perf_counter() - began, "s")


async def at_once(contenders: Contenders, runs: int) -> None:
    print(f"runs of {RUN_TURNS} turns each on one manager, from context to answer, milliseconds")
    spread("one alone", [await _timed(contenders.run) for _ in range(10)], "ms")
    began = time.perf_counter()
    taken = await asyncio.gather(*(_timed(contenders.run) for _ in range(runs)))
    total = (time.perf_counter() - began) * 1e3
    spread(f"each of {runs} at once", taken, "ms")
    single("all of them", total, "ms")
    single("all of them, for each", total / runs, "ms")


async def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    await work()  # type: ignore[misc]
    return (time.perf_counter() - began) * 1e3


def measure(turns: int, rounds: int, runs: int) -> None:
    with ModelProcess() as model, ManagerProcess() as manager:
        contenders = Contenders(model, manager)
        everyone = contenders.with_turns()
        print("a turn, all but the model, milliseconds")
        compare(contenders, everyone | {"litellm alone": contenders.client}, "turns", turns, rounds)
        print("a turn with a question to a model, all but the models, milliseconds")
        compare(contenders, everyone, "asks", turns, rounds)
        fan_out(contenders)
        asyncio.run(at_once(contenders, runs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()
    measure(arguments.turns, arguments.rounds, arguments.runs)


if __name__ == "__main__":
    main()
