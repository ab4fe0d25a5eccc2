"""The tree of calls."""

from __future__ import annotations

import re

from rlm_kernel.agent import CodeStarted, OutputWritten, SidecarREPLFactory, TurnStarted
from rlm_kernel.agent.trajectory import Recorder, tree
from tests.agent.trajectory.recorded import lively_run
from tests.agent.trajectory.test_recorder import started

LIVELY = """\
run 0 (openai/scripted, context: 15 characters in 1 lines, S): What is it?
├─ turn 1 (T, S): Let me show something.
│  └─ block 1 (S): import sys from IPython.display import HTML, clear_output, display print(
│     └─ shows in two pieces to stderr <IPython.core.display.HTML object> '100 %' 42
├─ turn 2 (T, S)
│  └─ block 1 (S, failed): 1 / 0
│     └─ shows -------------------------------------------------------------------------
├─ turn 3 (T, S): and then
│  ├─ block 1 (S): handle.update("100 %") replies = llm_query_batched(["count " + word for w
│  │  ├─ llm_query_batched (openai/scripted, S): count some
│  │  │  └─ replies 10
│  │  ├─ llm_query_batched (openai/scripted, S): count words
│  │  │  └─ replies 11
│  │  ├─ llm_query_batched (openai/scripted, S): count here
│  │  │  └─ replies 10
│  │  ├─ llm_query (openai/scripted, S): sum
│  │  │  └─ replies fifteen
│  │  └─ shows ['10', '11', '10'] fifteen
│  └─ block 2 (S): print(rlm_query('add', context=[1, 2, 3]))
│     ├─ rlm_query (openai/scripted, S): add
│     │  └─ run 0.1 (openai/scripted, context: 7 bytes as JSON, S): add
│     │     ├─ turn 1 (T, S)
│     │     │  └─ block 1 (S): print(sum(context)) FINAL(sum(context))
│     │     │     └─ shows 6
│     │     └─ answer (FINAL): 6
│     └─ shows 6
├─ turn 4 (T, S): FINAL(replies[0] + ' letters')
└─ answer (FINAL): 10 letters
"""


def test_a_run_is_a_tree(factory: SidecarREPLFactory) -> None:
    text = tree(lively_run(factory), width=1_000)
    text = re.sub(r"\d+\.\d s", "S", text)
    text = re.sub(r"[\d,]+ tokens in, [\d,]+ out", "T", text)
    for line, wanted in zip(text.splitlines(), LIVELY.splitlines(), strict=True):
        assert line.startswith(wanted)


def test_lines_are_cut_and_steer_no_terminal() -> None:
    recorder = Recorder()
    for event in (
        started(),
        TurnStarted("0", 1, 20),
        CodeStarted("0", 1, 1, "\x1b]0;title\x07" + "x" * 500),
        OutputWritten("0", 1, "stdout", "\x9b2J\r"),
    ):
        recorder.take(event)
    trajectory = recorder.trajectory()
    assert trajectory is not None
    text = tree(trajectory, width=60)
    assert max(map(len, text.splitlines())) == 60
    assert not set(text) & {"\x1b", "\x07", "\x9b", "\r"}
    assert "it did not end" in text
