"""What a model is told before its first turn: one wording for large models, one for small ones.

Only what a session really has is named: see `rlm_kernel.guest.rlm`. The wording for small models
was chosen by trial with one of 1.5 billion parameters: it follows examples better than rules,
guesses as soon as it may answer without code, and counts worse when `llm_query` is named at all,
which it then uses only where the question spells out the call.
"""

from __future__ import annotations

from typing import Literal

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
{sub_calls}\
- `SHOW_VARS()`: the variables you have so far.
- `FINAL(value)` and `FINAL_VAR("name")`: give a value, or the value of a variable, as the \
answer. Setting `answer["content"]` and then `answer["ready"] = True` does the same.

Let code do what code does exactly: searching, counting, sorting, comparing. {division}Keep \
intermediate results in variables and check them. When you know the answer, and not before your \
code has shown it, call `FINAL(...)` in a block, or write it on a line of its own outside of any \
block."""

_LARGE_SUB_CALLS = """\
- `llm_query(prompt)`: asks a language model and returns its reply as a str. It sees nothing but \
`prompt`, so put the instruction and the piece of data into it; tens of thousands of characters \
are fine.
- `llm_query_batched(prompts)`: many prompts at once, in parallel; a list of replies in the same \
order. In the place of one that failed stands an `LLMQueryError`.
"""

_LARGE_RECURSION = """\
- `rlm_query(task, context=data)`: has another agent, that works as you do, do `task` on `data`; \
returns its answer as a str. For parts that are themselves too long for `llm_query`.
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

_LARGE_QUESTION = """\
`context` is a {kind}: {note}.

Question: {query}"""

_SMALL_QUESTION = """\
`context` is a {kind}: {note}.

Write Python code that prints the answer to this question:
{query}"""


def system_prompt(size: Size = "large", *, sub_calls: bool = True, recursion: bool = False) -> str:
    """How to work in a session. `sub_calls` and `recursion` tell whether its functions for them
    are there."""
    if size == "small":
        return _SMALL
    functions = (_LARGE_SUB_CALLS if sub_calls else "") + (_LARGE_RECURSION if recursion else "")
    return _LARGE.format(sub_calls=functions, division=_LARGE_DIVISION if sub_calls else "")


def question(query: str, kind: str, note: str, *, size: Size = "large") -> str:
    """The first message: the question, and what `context` is (`kind` is its type)."""
    template = _SMALL_QUESTION if size == "small" else _LARGE_QUESTION
    return template.format(kind=kind, note=note, query=query)
