"""The code in a model's reply: every fence that can be Python, closed or not."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

_PYTHON_NAMES = frozenset(
    {"", "python", "python3", "py", "py3", "repl", "ipython", "ipython3", "pyrepl", "pycon"}
    | {"tool_code", "code", "execute"}
)
_OPENING = re.compile(r"^(?P<indent>[ \t>]*)(?P<mark>`{3,}|~{3,})(?P<info>[^`\n]*)$")
_INLINE = re.compile(r"^[ \t>]*```+(?P<body>[^`\n]+)```+[ \t]*$")
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_LITERAL = re.compile(
    r"(?P<comment>#[^\n]*)"
    r"|(?P<triple>\"\"\"|''')(?:\\.|(?!(?P=triple)).)*(?P<end>(?P=triple))?"
    r"|\"(?:\\.|[^\"\\\n])*\"?"
    r"|'(?:\\.|[^'\\\n])*'?",
    re.DOTALL,
)
_PROMPT = re.compile(r"^(?:>>>|\.\.\.) ?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """A reply taken apart.

    `blocks` is the code in order; `prose` is what stands outside all fences; `skipped` names the
    languages of fences that are not Python; `unclosed` says that the last block has no end mark.
    """

    blocks: tuple[str, ...]
    prose: str
    skipped: tuple[str, ...] = ()
    unclosed: bool = False


def parse_reply(text: str) -> ParsedReply:
    """Take a reply apart; text between `<think>` marks counts as neither code nor prose.

    A fence mark inside a string of the code does not end the block. A reply without any fence that
    is a Python program as it stands is one block.
    """
    text = without_thoughts(text)
    parsed = _parse_fences(text.splitlines())
    if not (parsed.blocks or parsed.skipped) and is_program(text):
        return ParsedReply((text.strip(),), "")
    return parsed


def without_thoughts(text: str) -> str:
    """The reply without what stands between `<think>` marks."""
    return _THOUGHT.sub("", text)


def _parse_fences(lines: list[str]) -> ParsedReply:
    blocks: list[str] = []
    prose: list[str] = []
    skipped: list[str] = []
    unclosed = False
    at = 0
    while at < len(lines):
        opening = _OPENING.match(lines[at])
        if opening is None:
            inline = _inline_code(lines[at])
            (prose if inline is None else blocks).append(lines[at] if inline is None else inline)
            at += 1
            continue
        body, at, unclosed = _body(lines, at + 1, opening)
        language = _language(opening["info"])
        if language not in _PYTHON_NAMES:
            skipped.append(language)
        elif body.strip():
            blocks.append(_without_prompts(body) if language == "pycon" else body)
    return ParsedReply(tuple(blocks), "\n".join(prose), tuple(skipped), unclosed)


def _inline_code(line: str) -> str | None:
    """The code of a fence that opens and closes on one line; None for any other line."""
    inline = _INLINE.match(line)
    if inline is None:
        return None
    first, _, rest = inline["body"].strip().partition(" ")
    code = rest.strip() if rest and first.lower() in _PYTHON_NAMES else inline["body"].strip()
    return code if is_program(code) else None


def _language(info: str) -> str:
    """`python`, `{python}`, `Python title="x"` and `repl:` all have a plain name."""
    words = re.split(r"[\s,:;=]+", info.strip().strip("{}.").lower(), maxsplit=1)
    return words[0].strip("{}.")


def _body(lines: list[str], start: int, opening: re.Match[str]) -> tuple[str, int, bool]:
    """The block that starts at line `start`, the line after it, and whether it has no end."""
    first_end: tuple[str, int] | None = None
    taken: list[str] = []
    for number in range(start, len(lines)):
        line = _dedented(lines[number], opening["indent"])
        rest = _before_closing(line, opening["mark"])
        if rest is not None:
            body = "\n".join([*taken, rest] if rest.strip() else taken)
            if not _ends_in_literal(body, whole_lines=not rest.strip()):
                return body, number + 1, False
            first_end = first_end or (body, number + 1)
        taken.append(line)
    if first_end is not None:  # the string never ends: the mark did end the block after all
        return *first_end, False
    return "\n".join(taken), len(lines), True


def _dedented(line: str, indent: str) -> str:
    """Without the part of the fence's own indentation that the line shares."""
    shared = 0
    while shared < min(len(line), len(indent)) and line[shared] == indent[shared]:
        shared += 1
    return line[shared:]


def _before_closing(line: str, mark: str) -> str | None:
    """What stands before the end mark on its line; None for a line that has no end mark."""
    stripped = line.rstrip()
    body = stripped.rstrip(mark[0])
    if len(stripped) - len(body) < len(mark):
        return None
    return body


def _ends_in_literal(code: str, *, whole_lines: bool) -> bool:
    """Whether the end of `code` is inside a string, or, in the middle of a line, a comment."""
    for literal in _LITERAL.finditer(code):
        if literal["triple"]:
            if literal["end"] is None:
                return True
        elif not whole_lines and literal.end() == len(code):
            return literal["comment"] is not None or not _is_closed(literal[0])
    return False


def _is_closed(string: str) -> bool:
    return len(string) > 1 and string[-1] == string[0]


def _without_prompts(body: str) -> str:
    """The input lines of an interpreter's transcript."""
    inputs = [line for line in body.splitlines() if _PROMPT.match(line)]
    return _PROMPT.sub("", "\n".join(inputs)) if inputs else body


_DOES_SOMETHING = (ast.Call, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Import, ast.ImportFrom)


def syntax_tree(code: str) -> ast.Module | None:
    """The code's tree, or None where it is not Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a model's odd escapes are its own affair
        try:
            return _parsed(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _parsed(code: str) -> ast.Module:
    try:
        return ast.parse(code)
    except SystemError:
        # CPython 3.11 has one count of the depth for all threads: one that parses something else
        # meanwhile, such as a library that is being imported, sets it off.
        return ast.parse(code)


def is_program(text: str) -> bool:
    """Whether text without a fence is code: it parses, and does more than to name things.

    A lone `FINAL(...)`, or `SUBMIT(...)`, is left to the search for answers, which can also read
    it as plain words.
    """
    tree = syntax_tree(text.strip())
    if tree is None or (len(tree.body) == 1 and text.lstrip().startswith(("FINAL", "SUBMIT"))):
        return False
    return any(isinstance(node, _DOES_SOMETHING) for node in ast.walk(tree))
