"""A run and its record, in one line."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from rlm_kernel.agent.repl import RLM_REPL
from rlm_kernel.agent.trajectory.recorder import Recorder
from rlm_kernel.agent.trajectory.trajectory import Trajectory
from rlm_kernel.errors import RLMKernelError


async def record(
    rlm: RLM_REPL, context: object = "", query: str = "", *, answer_type: Any = None
) -> Trajectory:
    """Answer `query` about `context` and return the trajectory, whatever became of the run.

    The answer, or the reason why there is none, is in its root. Raises ConfigurationError for a
    context that cannot go into a session: then there was no run.
    """
    recorder = Recorder(rlm.secrets)
    try:
        async with aclosing(rlm.astream(context, query, answer_type=answer_type)) as events:
            async for event in events:
                recorder.take(event)
    except RLMKernelError:
        if (trajectory := await asyncio.to_thread(recorder.trajectory)) is None:
            raise
        return trajectory
    trajectory = await asyncio.to_thread(recorder.trajectory)
    assert trajectory is not None
    return trajectory
