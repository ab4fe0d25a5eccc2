"""`make demo`: a question about a real document far too long for the model's window.

The document is the Python standard library's own source, as this machine has it. The question's
true answer depends on the Python version, so no model can know it by heart; the demo computes it
natively and compares.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import re
import signal
import sys
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from rlm_kernel.agent.command import run
from rlm_kernel.errors import RLMKernelError

QUESTION = (
    'Of all lines that start with "import ", which one occurs most often, and how many times?'
)
FILE_MARK = "### FILE: "
_LEFT_OUT = frozenset({"site-packages", "dist-packages", "test", "tests", "idlelib"})
_WORD = re.compile(r"[\w.]+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")


@dataclass(frozen=True, slots=True)
class Truth:
    """What the document really says."""

    line: str
    count: int

    @classmethod
    def of(cls, document: str) -> Truth:
        """Worked out by this Python, without any model."""
        lines = (line for line in document.splitlines() if line.startswith("import "))
        ((line, count),) = Counter(lines).most_common(1)
        return cls(line, count)

    def is_in(self, answer: str) -> bool:
        """Whether an answer in free words names both the line and the count."""
        words = {word.rstrip(".") for word in _WORD.findall(_THOUSANDS.sub("", answer))}
        return {self.line.removeprefix("import "), str(self.count)} <= words

    def __str__(self) -> str:
        return f"{self.line}, {self.count} times"


def standard_library() -> str:
    """All of the standard library's modules in one text, a line with its path before each."""
    root = Path(sysconfig.get_path("stdlib"))
    return "".join(_with_mark(root, path) for path in _modules(root))


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, answer, compare. The exit status is 0 for the right answer, 1 for any other."""
    parser = argparse.ArgumentParser(prog="python -m rlm_kernel.agent.demo", description=__doc__)
    parser.add_argument("--model", help="a litellm name, or 'local' (the default)")
    model = parser.parse_args(arguments).model
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    document = standard_library()
    _introduce(document)
    with tempfile.TemporaryDirectory(prefix="rlm-kernel-demo-") as folder:
        path = Path(folder, "stdlib.txt")
        path.write_bytes(document.encode())
        status, answer = _ask(path, model)
    if status:
        return status
    return _compare(answer, Truth.of(document))


def _modules(root: Path) -> Iterator[Path]:
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = sorted(set(subfolders) - _LEFT_OUT)
        yield from (Path(folder, name) for name in sorted(files) if name.endswith(".py"))


def _with_mark(root: Path, path: Path) -> str:
    source = path.read_bytes().decode(errors="replace").rstrip("\n")
    return f"{FILE_MARK}{path.relative_to(root).as_posix()}\n{source}\n"


def _introduce(document: str) -> None:
    files = document.count(f"\n{FILE_MARK}") + 1
    _say(
        f"The document: the standard library of Python {platform.python_version()}, "
        f"{files:,} files in one text of {len(document):,} characters"
    )
    _say(f"The question: {QUESTION}\n")


def _ask(path: Path, model: str | None) -> tuple[int, str]:
    """Exit status and answer of `rlm-kernel run`."""
    answer = io.StringIO()
    with redirect_stdout(answer):
        status = run(context=[path], query=QUESTION, model=model)
    return status, answer.getvalue().strip()


def _compare(answer: str, truth: Truth) -> int:
    right = truth.is_in(answer)
    _say(f"\nThe model's answer: {answer}")
    _say(f"The true answer:    {truth} (counted by this machine's own Python)")
    _say("The model is right." if right else "The model is WRONG.")
    return 0 if right else 1


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except RLMKernelError as failure:
        sys.exit(f"demo: {failure}")
