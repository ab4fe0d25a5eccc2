"""Answers that a model writes as text: `FINAL(...)` and its kin outside any code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

from rlm_kernel.agent.fences import syntax_tree

# At the start of a line, after marks of emphasis, quotes or lists, or after a short label.
_AT_LINE_START = re.compile(
    r"^[\s>*_`#-]*(?:[A-Za-z][\w ]{0,20}:[\s*_`]*)?(?P<name>FINAL_VAR|FINAL|SUBMIT)[ ]?\(",
    re.MULTILINE,
)
_ANYWHERE = re.compile(r"\b(?P<name>FINAL_VAR|FINAL|SUBMIT)[ ]?\(")
_PARENTHESES = re.compile(r"[()]")
_MAX_ENDS_TRIED = 50


AnswerFunction = Literal["FINAL", "FINAL_VAR", "SUBMIT"]
_TAKEN_BY = {"FINAL": "text_final", "FINAL_VAR": "final_var", "SUBMIT": "text_submit"}


@dataclass(frozen=True, slots=True)
class TextAnswer:
    """An answer as the model wrote it: what stands between the parentheses, unevaluated.

    `closed` is false where the text ends before the parenthesis does.
    """

    function: AnswerFunction
    argument: str
    closed: bool = True

    @property
    def code(self) -> str:
        """What has a session work the answer out; see `rlm_kernel.guest.answering`."""
        return f"_rlm.{_TAKEN_BY[self.function]}({self.argument!r})"


def find_text_answer(prose: str, *, anywhere: bool = False) -> TextAnswer | None:
    """The last answer in `prose`, or None.

    Only an answer at the start of a line counts, because models also talk *about* FINAL;
    `anywhere` lifts that.
    """
    found: TextAnswer | None = None
    at = 0
    pattern = _ANYWHERE if anywhere else _AT_LINE_START
    while match := pattern.search(prose, at):
        argument = _argument(prose[match.end() :])
        at = match.end() + len(argument)
        function = cast("AnswerFunction", match["name"])
        found = TextAnswer(function, argument.strip(), at < len(prose))
    return found


def as_text_answer(code: str) -> TextAnswer | None:
    """The answer in a fenced block that holds nothing but FINAL(...) around plain words."""
    if not code.lstrip().startswith(("FINAL", "SUBMIT")) or syntax_tree(code.strip()) is not None:
        return None
    return find_text_answer(code)


def _argument(text: str) -> str:
    """Up to the parenthesis that closes: Python's reading first, then balance, then all there is.

    `FINAL("a)")` is decided by the string, `FINAL(it's (about) 3)` by balance.
    """
    ends = [match.start() for match in _PARENTHESES.finditer(text) if match[0] == ")"]
    for end in ends[:_MAX_ENDS_TRIED]:
        if syntax_tree(f"f({text[:end]}\n)") is not None:
            return text[:end]
    return text[: _balanced_end(text)]


def _balanced_end(text: str) -> int:
    depth = 1
    for match in _PARENTHESES.finditer(text):
        depth += 1 if match[0] == "(" else -1
        if depth == 0:
            return match.start()
    return len(text)
