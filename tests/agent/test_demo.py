"""The demo's document is the machine's own, its truth is counted, and its verdict is honest."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rlm_kernel.agent.demo import QUESTION, Truth, standard_library
from rlm_kernel.agent.models.weights import MODEL
from rlm_kernel.cache import cache_dir
from rlm_kernel.testing import ScriptedModelServer

WEIGHTS = cache_dir() / "models" / MODEL.name

DOCUMENT = """\
### FILE: a.py
import os
import sys
    import os
from os import path
### FILE: b.py
import sys
import importlib
important = 1
"""
COUNT = (
    "from collections import Counter\n"
    "lines = [each for each in context.splitlines() if each.startswith('import ')]\n"
    "line = Counter(lines).most_common(1)[0][0]\n"
)


def test_the_truth_is_the_most_frequent_import_line() -> None:
    assert Truth.of(DOCUMENT) == Truth("import sys", 2)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("import sys, 1174 times", True),
        ("The line 'import sys' occurs 1,174 times.", True),
        ("sys: 1174", True),
        ("import sys occurs 174 times", False),
        ("import os occurs 1174 times", False),
        ("import syslog occurs 1174 times", False),
        ("1174", False),
        ("import sys", False),
        ("", False),
    ],
)
def test_an_answer_is_right_when_it_has_the_line_and_the_count(answer: str, right: bool) -> None:
    assert Truth("import sys", 1174).is_in(answer) is right


def test_the_document_is_the_library_of_this_machine_without_its_tests() -> None:
    document = standard_library()
    names = [line[10:] for line in document.split("\n") if line.startswith("### FILE: ")]
    assert document.startswith("### FILE: ")
    assert {"os.py", "asyncio/__init__.py", "json/decoder.py"} <= set(names)
    assert not [name for name in names if {"test", "site-packages"} & set(Path(name).parts)]
    assert Path(os.__file__).read_text().rstrip("\n") in document
    assert len(document.encode()) > 5_000_000


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("claim", "status", "verdict"),
    [("FINAL(f'{line}: {lines.count(line)}')", 0, "is right"), ("FINAL(42)", 1, "is WRONG")],
)
def test_the_verdict_and_the_exit_status_follow_the_truth(
    claim: str, status: int, verdict: str
) -> None:
    with ScriptedModelServer([f"```python\n{COUNT}{claim}\n```"]) as server:
        scripted = {"OPENAI_API_BASE": server.base_url, "OPENAI_API_KEY": "test"}
        demo = subprocess.run(
            [sys.executable, "-m", "rlm_kernel.agent.demo", "--model", server.model_name],
            env={**os.environ, **scripted},
            capture_output=True,
            text=True,
            check=False,
        )
        (request,) = server.requests
    assert (demo.returncode, verdict in demo.stdout) == (status, True), demo.stderr
    assert str(Truth.of(standard_library())) in demo.stdout
    assert QUESTION in request.last
    assert "import sys" not in str(request.body)


@pytest.mark.timeout(600)
@pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None, reason="the extra `local` is not installed"
)
@pytest.mark.skipif(
    not MODEL.has_size(WEIGHTS), reason=f"{WEIGHTS} is absent: run `rlm-kernel model pull`"
)
def test_the_local_model_answers_right() -> None:
    demo = subprocess.run(
        [sys.executable, "-m", "rlm_kernel.agent.demo"],
        env={**os.environ, "MODEL_PATH": str(WEIGHTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (demo.returncode, "The model is right." in demo.stdout) == (0, True), demo.stderr
