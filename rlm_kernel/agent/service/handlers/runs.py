"""The runs that go on and those that are kept."""

from __future__ import annotations

from rlm_kernel import errors
from rlm_kernel.agent.service.handlers.base import Handler
from rlm_kernel.agent.service.wire import RunDetails, RunList
from rlm_kernel.http.operation import NOTHING, Operation, by_method, json_answer


class AllRuns(Handler):
    """`/runs`"""

    operations = by_method(
        GET=Operation("runs", "The runs that go on or are kept", json_answer(RunList))
    )

    def get(self) -> None:
        self.answer(RunList(runs=[run.summary() for run in self.services.runs]))


class OneRun(Handler):
    """`/runs/{run_id}`"""

    operations = by_method(
        GET=Operation(
            "run",
            "A run with its steps so far",
            json_answer(RunDetails),
            (errors.RunNotFound,),
        ),
        DELETE=Operation(
            "forget", "End a run, and keep nothing of it", NOTHING, (errors.RunNotFound,)
        ),
    )

    def get(self, run_id: str) -> None:
        self.answer(self.services.runs.get(run_id).details())

    def delete(self, run_id: str) -> None:
        self.services.runs.forget(run_id)
        self.answer_nothing()
