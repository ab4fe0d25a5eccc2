"""Trajectories: runs that were recorded, and what they can be made into.

    trajectory = await record(rlm, context, query)
    save(trajectory, Path("run.ipynb"))

A `Recorder` takes the events of `RLM_REPL.astream`; its `Trajectory` is a frozen value, also of a
run that failed, was stopped, or goes on. `notebook`, `jsonl` and `tree` make of it a notebook that
runs again, the official library's log, and a tree for a terminal; `save` writes any of them.
"""

from __future__ import annotations

from rlm_kernel.agent.trajectory.jsonl import jsonl
from rlm_kernel.agent.trajectory.notebook import notebook
from rlm_kernel.agent.trajectory.recorder import Recorder
from rlm_kernel.agent.trajectory.recording import record
from rlm_kernel.agent.trajectory.saving import load, save
from rlm_kernel.agent.trajectory.secrets import Scrubber, secrets_of_environment
from rlm_kernel.agent.trajectory.trajectory import (
    Block,
    Failure,
    HostCall,
    RecordedAnswer,
    RecordedContext,
    RecordedRun,
    RecordedTurn,
    SubCall,
    Trajectory,
)
from rlm_kernel.agent.trajectory.tree import tree

__all__ = [
    "Block",
    "Failure",
    "HostCall",
    "RecordedAnswer",
    "RecordedContext",
    "RecordedRun",
    "RecordedTurn",
    "Recorder",
    "Scrubber",
    "SubCall",
    "Trajectory",
    "jsonl",
    "load",
    "notebook",
    "record",
    "save",
    "secrets_of_environment",
    "tree",
]
