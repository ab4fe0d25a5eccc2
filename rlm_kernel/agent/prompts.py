"""What a model is told before its first turn: one wording for large models, one for small ones.

Only what a session really has is named: see `rlm_kernel.guest.rlm`. The wording for small models
was chosen by trial with one of 1.5 billion parameters: it follows examples better than rules,
guesses as soon as it may answer without code, and counts worse when `llm_query` is named at all,
which it then uses only where the question spells out the call.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rlm_kernel.agent.context import ContextFile
from rlm_kernel.guest.queries import TEXT_MAX

Size = Literal["large", "small"]

_LARGE = """\
You answer a question about data that may be far longer than what you can read. The data is not \
in this conversation: it is the variable `context` in a Python session, and you work on it by \
writing code.

Write code in ```python blocks. They run in the session in order, and you are then shown what \
they printed and the value of the last expression. Long output is cut, so print only what you \
need to see. Variables, functions and imports stay from turn to turn. There is no network.

In the session there are:
- `context`: the data. Look at its type, its size and a sample before you rely on its form.
{earlier}{sub_calls}{tools}\
- `SHOW_VARS()`: the variables you have so far.
- `FINAL(value)` and `FINAL_VAR("name")`: give a value, or the value of a variable, as the \
answer. `SUBMIT(value)` or `SUBMIT(name=value, ...)`, and setting `answer["content"]` and then \
`answer["ready"] = True`, do the same.

Let code do what code does exactly: searching, counting, sorting, comparing. {division}Keep \
intermediate results in variables and check them. When you know the answer, and not before your \
code has shown it, call `FINAL(...)` in a block, or write it on a line of its own outside of any \
block."""

_LARGE_SUB_CALLS = """\
- `llm_query(prompt)`: asks a language model and returns its reply as a str. It sees nothing but \
`prompt`, so put the instruction and the piece of data into it; tens of thousands of characters \
are fine.
- `llm_query_batched(prompts)`: many prompts at once, in parallel; a list of replies in the same \
order. In the place of one that failed stands an `LLMQueryError`, whose attribute "code" tells \
the kind of failure. `await allm_query(prompt)` is for tasks of your own; top-level await works.
"""

_LARGE_NO_RECURSION = f"""\
- `rlm_query(task, context=data)`, `rlm_query_batched(tasks, contexts)` and \
`await arlm_query(task, context=data)`: as these, for a task on data, of which the model can read \
no more than {TEXT_MAX:,} characters.
"""

_LARGE_RECURSION = """\
- `rlm_query(task, context=data)`: has another agent, that works as you do in a session of its \
own, do `task` on `data` (plain data: str, bytes, numbers, lists, dicts); returns its answer as a \
str. For parts that are themselves too long for `llm_query`. With \
`rlm_query(task, context=data, fork=True)` it works in a copy of your session: it has all of your \
variables, and `data` may be any object, or left out.
- `rlm_query_batched(tasks, contexts)`: many agents at once, as with `llm_query_batched`; \
`await arlm_query(task, context=data)` is for tasks of your own. Both take `fork=True` too.
"""

_LARGE_EARLIER = """\
- `history`: a list of the earlier questions of this conversation, each a dict with "query" and \
"answer". Each question may bring data of its own: `context` is the newest, and `context_0`, \
`context_1` and so on are all there were, in order.
"""

_TOOL_ERROR = """\
- `ToolError`: what the functions above raise when they fail; one that fails with ValueError, say, \
is caught by `except ValueError` too.
"""

_LARGE_DIVISION = """\
Let `llm_query` do what takes understanding: cut the data into pieces, ask about all of them \
with `llm_query_batched`, and combine the replies. """

_SMALL = """\
You answer questions about a long text by writing Python code. The text is in the variable \
`context`, already defined. It is too long to read.

Step 1: reply with one ```python code block that prints the answer. It is run and you are shown \
its output.
Step 2: if the output is wrong or an error, reply with better code. If it is right, reply \
FINAL(the whole answer).

First example:
User: How many lines contain "fox"?
You:
```python
count = sum("fox" in line for line in context.splitlines())
print(count, "lines")
```
User: Output: 12 lines
You: FINAL(12 lines)

Second example:
User: Which word occurs most often, and how often?
You:
```python
from collections import Counter
word, count = Counter(context.split()).most_common(1)[0]
print(word, "occurs", count, "times")
```
User: Output: the occurs 512 times
You: FINAL(the occurs 512 times)"""

_SMALL_TOOLS = """

These functions are defined already, call them in your code where they help:
"""

_LARGE_QUESTION = """\
{what}

Question: {query}"""

_SMALL_QUESTION = """\
{what}

Write Python code that prints the answer to this question:
{query}"""

_CONTEXT = "`context` is a {kind}: {note}."
_DOCUMENTS = """\
`context` is a read-only dict of files, path -> text (bytes where a file is not UTF-8). Each is \
read when you ask for it: `context[path]`, or `for path, text in context.items()`. \
`context.size(path)` is its size in bytes, `context.open(path)` opens it to read line by line. \
It has {note}."""
_COPY = """\
Your session is a copy of the one of the agent that asks you. You have all of its variables, see \
`SHOW_VARS()`; what you change in yours it does not see: your answer is all that it gets.

`context` is a {kind}: {note}."""
_PLAIN_TASK = """\
{task}

Nothing can be run or looked up for this: answer from the text below alone. It is {what}.

{text}"""
_EARLIER_QUESTIONS = '`history` (earlier questions, each a dict with "query" and "answer")'
_SAME_CONTEXT = "`context` is what it was."
_LOST = """\
The session in which you worked is gone, and with it all variables, functions and imports of \
yours. You have a new one, into which the data and `history` are loaded again."""

_TYPED = """

The answer must be a value of this JSON schema, and not a sentence. Give it as a Python value \
(dict, list, str, int, float, bool or None): {example}
```json
{schema}
```"""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a session offers beside the context and the ways to answer.

    `sub_calls` and `recursion` tell whether its functions for them are there; `history` and the
    contexts by number are there where it is `persistent`.
    """

    sub_calls: bool = True
    recursion: bool = False
    persistent: bool = False
    tools: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a persistent session has of the questions before: so many contexts and answers."""

    contexts: int = 0
    answers: int = 0


def system_prompt(size: Size, abilities: Abilities, own: str | None = None) -> str:
    """How to work in a session. `own` is a text to use instead; only the tools are added to it."""
    tools = "".join(map(_tool, abilities.tools))
    if own is not None:
        return f"{own}\n\n{tools}".rstrip() if tools else own
    if size == "small":
        return _SMALL + (f"{_SMALL_TOOLS}{tools}".rstrip() if tools else "")
    return _LARGE.format(
        earlier=_LARGE_EARLIER if abilities.persistent else "",
        sub_calls=_sub_calls(abilities),
        tools=f"{tools}{_TOOL_ERROR}" if tools else "",
        division=_LARGE_DIVISION if abilities.sub_calls else "",
    )


def question(
    query: str,
    context: ContextFile | None,
    *,
    size: Size = "large",
    schema: Mapping[str, Any] | None = None,
    lost: bool = False,
    earlier: Earlier | None = None,
) -> str:
    """A question, and what `context` is; None where that is the one of the question before.

    `schema` is the JSON schema of the answer. `lost` says that the session had to be replaced.
    Of what is there from `earlier` questions a small model is told here, once there is any.
    """
    template, what = _LARGE_QUESTION, _described(context)
    if size == "small":
        template, what = _SMALL_QUESTION, what + _also_defined(earlier or Earlier())
    told = template.format(what=what, query=query)
    if schema is not None:
        told += _TYPED.format(example=_example(schema), schema=json.dumps(schema, indent=1))
    return f"{_LOST}\n\n{told}" if lost else told


def plain_task(task: str, text: str | None, length: int) -> str:
    """A task for a model that is to do it without a session, on this much of a longer text."""
    if text is None:
        return task
    cut = "" if len(text) == length else f"the first {len(text):,} of "
    return _PLAIN_TASK.format(task=task, what=f"{cut}{length:,} characters", text=text)


def _sub_calls(abilities: Abilities) -> str:
    if not abilities.sub_calls:
        return ""
    return _LARGE_SUB_CALLS + (_LARGE_RECURSION if abilities.recursion else _LARGE_NO_RECURSION)


def _described(context: ContextFile | None) -> str:
    if context is None:
        return _SAME_CONTEXT
    if context.form == "handed":
        return _COPY.format(kind=context.type_name, note=context.note)
    if context.form == "files":
        return _DOCUMENTS.format(note=context.note)
    return _CONTEXT.format(kind=context.type_name, note=context.note)


def _also_defined(earlier: Earlier) -> str:
    there = []
    if earlier.contexts:
        ends = sorted({0, earlier.contexts - 1})
        names = " to ".join(f"`context_{number}`" for number in ends)
        there.append(f"{names} (earlier data)")
    if earlier.answers:
        there.append(_EARLIER_QUESTIONS)
    return f" Also defined: {', '.join(there)}." if there else ""


def _example(schema: Mapping[str, Any]) -> str:
    if schema.get("type") != "object":
        return "`FINAL(value)`."
    names = [f"{name!r}: ..." for name in schema.get("properties", {})][:8]
    return f"`FINAL({{{', '.join(names)}}})`."


def _tool(tool: Mapping[str, str]) -> str:
    doc = tool["doc"].replace("\n", "\n  ")
    return f"- `{tool['name']}{tool['signature']}`" + (f": {doc}\n" if doc else "\n")
