"""Flaw 6: only a `repl` fence is recognised. Code in a `python` fence, in one that is not closed,
or in none is not run, and the model is told nothing; fences within fences cut the code short.
"""

from __future__ import annotations

import pytest

from rlm_kernel.agent import SidecarREPLFactory
from tests.agent.runs import run_script

CELL = "x = 6\nFINAL(x * 7)"


@pytest.mark.parametrize(
    "reply",
    [
        *(
            f"```{name}\n{CELL}\n```"
            for name in ("repl", "python", "py", "Python", "", "tool_code")
        ),
        f"~~~python\n{CELL}\n~~~",
        f"````python\n{CELL}\n````",
        f"```python title=x.py\n{CELL}\n```",
        f"```{{python}}\n{CELL}\n```",
        f"Let me see.\n```python\n{CELL}",
        "  ```python\n  x = 6\n  FINAL(x * 7)\n  ```",
        "> ```python\n> x = 6\n> FINAL(x * 7)\n> ```",
        CELL,
        "```python\n>>> x = 6\n>>> FINAL(x * 7)\n```".replace("python", "pycon"),
        f"```python\n{CELL}```",
    ],
)
def test_code_is_run_in_whatever_fence_or_none(factory: SidecarREPLFactory, reply: str) -> None:
    assert run_script(factory, [reply]).answer.text == "42"


def test_a_fence_within_a_string_of_the_code_does_not_cut_it(factory: SidecarREPLFactory) -> None:
    cell = "text = '''# Title\n```python\nprint(1)\n```\nend'''\nFINAL(text.count('```'))"
    assert run_script(factory, [f"```python\n{cell}\n```"]).answer.text == "2"


def test_several_blocks_run_in_order(factory: SidecarREPLFactory) -> None:
    reply = "First:\n```python\nx = 1\n```\nthen\n```repl\nx += 1\n```\nlast\n```\nFINAL(x)\n```"
    assert run_script(factory, [reply]).answer.text == "2"


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("I shall look at the data now.", "Your reply had no code and no answer."),
        ("", "Your reply had no code and no answer."),
        ("```bash\nls\n```", "a block of bash, which is not run here"),
        ("```json\n{}\n```", "a block of json, which is not run here"),
        ("```python\n```", "Your reply had no code and no answer."),
        ("```python\nx = (\n```", "never closed"),
    ],
)
def test_what_is_not_run_is_told_so_and_what_to_write_instead(
    factory: SidecarREPLFactory, reply: str, told: str
) -> None:
    record = run_script(factory, [reply, "FINAL(1)"])
    assert told in record.told[1]
    if told != "never closed":
        assert "```python block" in record.told[1]
