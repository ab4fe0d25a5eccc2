"""The runs that go on and those that are kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from rlm_kernel import errors
from rlm_kernel.agent.service.handlers.base import Handler
from rlm_kernel.agent.service.wire import RunDetails, RunList, RunSummary
from rlm_kernel.agent.trajectory import Trajectory, jsonl, notebook, tree
from rlm_kernel.http.operation import JSON, NOTHING, TEXT, Operation, by_method, json_answer

IPYNB, JSONL = "application/x-ipynb+json", "application/jsonl"


def _as_notebook(trajectory: Trajectory) -> bytes:
    return json.dumps(notebook(trajectory), indent=1, ensure_ascii=False).encode(errors="replace")


def _as_lines(trajectory: Trajectory) -> bytes:
    return "".join(jsonl(trajectory)).encode(errors="replace")


def _as_json(trajectory: Trajectory) -> bytes:
    return trajectory.model_dump_json(indent=1).encode()


def _as_tree(trajectory: Trajectory) -> bytes:
    return tree(trajectory).encode(errors="replace")


_WRITERS: dict[str, tuple[str, Callable[[Trajectory], bytes]]] = {
    "ipynb": (IPYNB, _as_notebook),
    "jsonl": (JSONL, _as_lines),
    "json": (JSON, _as_json),
    "txt": (f"{TEXT}; charset=utf-8", _as_tree),
}


class AllRuns(Handler):
    """`/runs`"""

    operations = by_method(
        GET=Operation("runs", "The runs that go on or are kept", json_answer(RunList))
    )

    def get(self) -> None:
        self.answer(RunList(runs=[run.summary() for run in self.services.runs]))


class RunAs(Handler):
    """`/runs/{run_id}.{form}`: its trajectory."""

    operations = by_method(
        GET=Operation(
            "trajectory",
            "A run as a notebook that runs again, as the official library's log, or as a tree",
            {200: {JSON: None, IPYNB: None, JSONL: None, TEXT: None}},
            (errors.RunNotFound,),
        )
    )

    async def get(self, run_id: str, form: str) -> None:
        trajectory = await self.services.runs.get(run_id).record.trajectory()
        content_type, written = _WRITERS[form]
        data = await asyncio.to_thread(written, trajectory)
        self.set_header("Content-Type", content_type)
        self.set_header("Content-Disposition", f'attachment; filename="run-{run_id[:8]}.{form}"')
        self.finish(data)


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
            "end",
            "Cancel a run that goes on, and say how it ended; forget one that has ended",
            {**json_answer(RunSummary), **NOTHING},
            (errors.RunNotFound,),
        ),
    )

    def get(self, run_id: str) -> None:
        self.answer(self.services.runs.get(run_id).details())

    async def delete(self, run_id: str) -> None:
        run = self.services.runs.get(run_id)
        if run.ended:
            self.services.runs.forget(run_id)
            self.answer_nothing()
        else:
            run.cancel()
            await run.ending()
            self.answer(run.summary())
