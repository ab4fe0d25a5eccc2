"""Probes of running cells: replies, results, errors, questions, tasks."""

from __future__ import annotations

from typing import Any

from benchmarks.contender import Contender, Exchange
from benchmarks.probe import Probes, kinds, only, shown, tail

PROBES = Probes("cells")


@PROBES.probe("messages of a cell, in order")
def _order(kernel: Contender) -> Any:
    exchange = kernel.cell("print('x')\n6 * 7")
    return [kinds(exchange), sorted(exchange.content)]


PROBES.cell(
    "stdout and stderr apart",
    "import sys\nprint(1)\nprint(2, file=sys.stderr)\nprint(3)",
    better=lambda seen: seen[0][1:4] == [["stdout", "1\n"], ["stderr", "2\n"], ["stdout", "3\n"]],
    why="in the order in which they were written",
)
PROBES.cell(
    "text of any script, and nulls", "print('ünï 🐍 \\0 \\ud800'.encode('utf-8', 'replace'))"
)
PROBES.cell("In, Out and _", "41 + 1", "_ + 1", "__ + _", "[In[-1], Out[max(Out)], _i]")
PROBES.cell("a semicolon hides the result", "42;")
PROBES.cell("top-level await", "import asyncio\nawait asyncio.sleep(0, 'done')")
PROBES.cell(
    "async generators and comprehensions",
    "async def count():\n    for n in range(3):\n        yield n\n[n async for n in count()]",
    "async for n in count():\n    print(n)",
)
PROBES.cell("gather and timeouts", "await asyncio.gather(*(asyncio.sleep(0, n) for n in range(3)))")
PROBES.cell("an empty cell", "", "# nothing")


@PROBES.probe("a silent cell shows and counts nothing")
def _silent(kernel: Contender) -> Any:
    before = kernel.cell("1").content["execution_count"]
    exchange = kernel.cell("silent = 1", silent=True)
    return [kinds(exchange), kernel.cell("1").content["execution_count"] - before]


@PROBES.probe("a cell without history is not counted")
def _no_history(kernel: Contender) -> Any:
    before = kernel.cell("1").content["execution_count"]
    kernel.cell("'not stored'", store_history=False)
    return kernel.cell("1").content["execution_count"] - before


@PROBES.probe("user_expressions, one of them wrong")
def _expressions(kernel: Contender) -> Any:
    asked = {"good": "2 + 2", "bad": "1 / 0"}
    found = kernel.cell("1", user_expressions=asked).content["user_expressions"]
    return [found["good"], only(found["bad"], "status", "ename", "evalue")]


@PROBES.probe("an error's reply and message")
def _error(kernel: Contender) -> Any:
    exchange = kernel.cell("1 / 0")
    reply = only(exchange.content, "status", "ename", "evalue")
    names = {"execution_count", "payload", "traceback", "user_expressions"} & set(exchange.content)
    return [reply, only(exchange.contents("error")[0], "ename", "evalue"), sorted(names)]


@PROBES.probe(
    "a failed cell aborts those that wait",
    better=lambda seen: seen[0] == ["error", "aborted", "aborted"],
    why="all of them, also where the machine is slow",
)
def _abort(kernel: Contender) -> Any:
    ids = [kernel.start(code) for code in ("raise ValueError", "ran = 1", "ran = 2")]
    replies = [kernel.reply(message_id)["content"]["status"] for message_id in ids]
    return [replies, shown(kernel.cell("'ran' in globals()"))]


@PROBES.probe("stop_on_error=False aborts nothing")
def _no_abort(kernel: Contender) -> Any:
    ids = [kernel.start("raise ValueError", stop_on_error=False), kernel.start("1")]
    return [kernel.reply(message_id)["content"]["status"] for message_id in ids]


TRACED = "def inner(n):\n    return 1 / n\ndef outer():\n    return inner(0)\nouter()"


@PROBES.probe("a traceback: colours, frames, arrows")
def _traceback(kernel: Contender) -> Any:
    lines = kernel.cell(TRACED).contents("error")[0]["traceback"]
    text = "\n".join(lines)
    marks = ("\x1b[", "Cell ", "inner", "outer", "----> ", "ZeroDivisionError")
    return [len(lines), {mark: mark in text for mark in marks}]


@PROBES.probe("chained exceptions show both")
def _chained(kernel: Contender) -> Any:
    exchange = kernel.cell("try:\n    1 / 0\nexcept Exception as e:\n    raise KeyError(1) from e")
    text = "\n".join(exchange.contents("error")[0]["traceback"])
    return ["ZeroDivisionError" in text, "direct cause" in text, tail(exchange)]


PROBES.cell("a syntax error", "x = = 1")
PROBES.cell(
    "an error's own _render_traceback_",
    'class E(Exception):\n    def _render_traceback_(self):\n        return ["mine"]\nraise E("x")',
)
PROBES.cell("raise SystemExit", "raise SystemExit(3)")


PROBES.cell("exit(keep_kernel=True) asks the client to leave", "exit(keep_kernel=True)")
PROBES.cell(
    "warnings name the cell",
    "import warnings\nwarnings.warn('careful')",
    better=lambda seen: "UserWarning: careful" in str(seen),
    why="the same text, at 'Cell In[N]' rather than a file of /tmp",
)
PROBES.cell(
    "pickle of what a cell defines",
    "import pickle\nclass C: pass\ntype(pickle.loads(pickle.dumps(C()))).__name__",
)
PROBES.cell(
    "inspect.getsource of what a cell defines",
    "import inspect\ndef f(): return 1\ninspect.getsource(f)",
)
PROBES.cell(
    "contextvars last from cell to cell",
    "import contextvars\nv = contextvars.ContextVar('v', default=0)\nv.set(5);",
    "v.get()",
    "await asyncio.sleep(0)\nv.get()",
)
PROBES.cell(
    "contextvars set by a cell that awaits",
    "w = contextvars.ContextVar('w', default=0)\nw.set(7)\nawait asyncio.sleep(0)",
    "w.get()",
    better=lambda seen: "7" in str(seen[1]),
    why="it lasts as that of any other cell does",
)
PROBES.cell("logging reaches stderr", "import logging\nlogging.warning('watch out')")


@PROBES.probe("tasks go on between cells, under their cell's name")
def _task(kernel: Contender) -> Any:
    code = "async def late():\n    await asyncio.sleep(0.05)\n    print('late')\nt = asyncio.create_task(late())"
    message_id = kernel.start("import asyncio\n" + code)
    kernel.reply(message_id)
    message = kernel.until(lambda m: m["msg_type"] == "stream")
    return [message["content"], message["parent_header"]["msg_id"] == message_id]


@PROBES.probe("an error in a task that nobody awaits is told")
def _task_error(kernel: Contender) -> Any:
    kernel.cell(
        "import asyncio, gc\nasync def fail(): 1 / 0\nasync def go():\n    asyncio.create_task(fail())\n    await asyncio.sleep(0.01)\nawait go()"
    )
    told = kernel.cell("gc.collect();")
    return [told.content["status"]]


@PROBES.probe("a cell awaits the task of an earlier one")
def _task_later(kernel: Contender) -> Any:
    kernel.cell("import asyncio\njob = asyncio.create_task(asyncio.sleep(0.02, 'kept'))")
    return shown(kernel.cell("await job"))


@PROBES.probe("input() asks the client")
def _input(kernel: Contender) -> Any:
    exchange, asked = kernel.answering("input('name? ')", "Ada")
    return [shown(exchange), [only(question, "prompt", "password") for question in asked]]


@PROBES.probe("getpass hides what is typed")
def _getpass(kernel: Contender) -> Any:
    exchange, asked = kernel.answering("import getpass\nlen(getpass.getpass('key: '))", "secret")
    return [shown(exchange), [only(question, "prompt", "password") for question in asked]]


@PROBES.probe("input() where nobody answers")
def _no_stdin(kernel: Contender) -> Any:
    return kernel.cell("input()").content["ename"]


@PROBES.probe("display and prints keep their order")
def _interleaved(kernel: Contender) -> Any:
    exchange: Exchange = kernel.cell("for n in range(3):\n    print(n)\n    display(n)")
    return shown(exchange)
