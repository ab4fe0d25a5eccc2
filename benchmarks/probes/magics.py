"""Probes of IPython's magics, and of its own syntax."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.contender import Contender
from benchmarks.probe import Probes, only, shown, tail

PROBES = Probes("magics")
REFUSED = "no subprocesses; one line says so"


def _explained(*words: str) -> Any:
    """Whether all these words were shown."""
    return lambda seen: all(word in str(seen) for word in words)


@PROBES.probe("%timeit, also as a result")
def _timeit(kernel: Contender) -> Any:
    exchange = kernel.cell("r = %timeit -n 2 -r 2 -o 1 + 1\ntype(r).__name__")
    return [
        bool(re.search(r"per loop \(mean ± std. dev. of 2 runs, 2 loops each\)", exchange.text())),
        exchange.contents("execute_result")[0]["data"],
    ]


@PROBES.probe("%%time")
def _time(kernel: Contender) -> Any:
    exchange = kernel.cell("%%time\nx = 5\nx")
    return ["Wall time:" in exchange.text(), exchange.contents("execute_result")[0]["data"]]


PROBES.cell(
    "%%capture",
    "%%capture cap\nprint('o')\ndisplay(1)",
    "cap.stdout, len(cap.outputs)",
    "cap.show()",
)
PROBES.cell(
    "%reset, %who, %whos and %who_ls",
    "%reset -f",
    "alpha, beta = 1, 'b'\n%who",
    "%whos",
    "%who_ls int",
)
PROBES.cell(
    "%xdel, %reset_selective",
    "gamma = 1\n%xdel gamma\n'gamma' in globals()",
    "delta = 1\n%reset_selective -f delta\n'delta' in globals()",
)
PROBES.cell(
    "%%writefile, %pycat, %load",
    "%%writefile made.py\nvalue = 40 + 2\nprint(__name__)",
    "%load made.py",
    "%pycat made.py",
)
PROBES.cell("%run of a file, and its names", "%run made.py\nvalue", "%run -i made.py")
PROBES.cell("%%file -a and %save", "%%writefile -a made.py\nother = 1", "%save -f saved.py alpha")


@PROBES.probe("%history")
def _history(kernel: Contender) -> Any:
    kernel.cell("first = 1")
    kernel.cell("second = 2")
    return kernel.cell("%history -l 2").text()


@PROBES.probe("%recall and %rerun")
def _recall(kernel: Contender) -> Any:
    kernel.cell("print('again')")
    recalled = kernel.cell("%recall").content["payload"]
    kernel.cell("print('again')")
    return [recalled, kernel.cell("%rerun").text()]


PROBES.cell(
    "%env",
    "%env RLM_PROBE=1",
    "%env RLM_PROBE",
    "import os\nos.environ['RLM_PROBE']",
    "%set_env RLM_PROBE=2",
)
PROBES.cell(
    "%pwd, %cd, %mkdir-free bookmarks",
    "import os\nos.makedirs('sub', exist_ok=True)\n%cd -q sub\nos.path.basename(os.getcwd())",
    "%cd -q ..",
)
PROBES.cell(
    "%precision, %pprint, %xmode",
    "%precision 3\n3.14159",
    "%precision %r",
    "%pprint",
    "%pprint",
    "%xmode Plain",
    "%xmode Context",
)
PROBES.cell("%alias_magic, macros", "%alias_magic t pwd", "%macro -q m 1", "type(m).__name__")
PROBES.cell(
    "%%html, %%markdown, %%latex, %%svg, %%javascript",
    "%%html\n<b>x</b>",
    "%%markdown\n*x*",
    "%%latex\n$x$",
    '%%svg\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    "%%javascript\n1",
)
PROBES.cell(
    "a magic of one's own",
    "from IPython.core.magic import register_line_cell_magic\n@register_line_cell_magic\ndef shout(line, cell=None):\n    return (cell or line).upper()",
    "%shout hi",
    "%%shout\nho",
)
PROBES.cell(
    "an extension",
    "import pathlib\npathlib.Path('ext.py').write_text('def load_ipython_extension(ip): print(\"loaded\")')\n%load_ext ext",
    "%reload_ext ext",
)


@PROBES.probe("%autoreload")
def _autoreload(kernel: Contender) -> Any:
    kernel.cell("import pathlib, os, time\npathlib.Path('mod.py').write_text('x = 1')\nimport mod")
    kernel.cell("%load_ext autoreload\n%autoreload 2")
    kernel.cell(
        "pathlib.Path('mod.py').write_text('x = 22')\nos.utime('mod.py', (time.time() + 9,) * 2)"
    )
    seen = shown(kernel.cell("mod.x"))
    kernel.cell("%autoreload 0")
    return seen


PROBES.cell(
    "%pinfo, %pdoc, %pdef",
    "def documented(a, b=1):\n    'says so'\n%pdef documented",
    "%pdoc documented",
)
PROBES.cell("obj? pages", "documented?")
PROBES.cell("obj?? pages the source", "documented??")
PROBES.cell("wildcards: *open*?", "import builtins\nbuiltins.*errno*?", "Zero*?")


@PROBES.probe("%prun")
def _prun(kernel: Contender) -> Any:
    exchange = kernel.cell("%prun sum(range(10))")
    return [exchange.content["status"], [p["source"] for p in exchange.content["payload"]]]


PROBES.cell("%psource, %pfile say when there is none", "%psource nothing_here")
PROBES.cell(
    "%lsmagic",
    "len(get_ipython().magics_manager.lsmagic()['line']) >= 90",
    better=_explained("True"),
    why="more",
)


@PROBES.probe("%lsmagic has ipykernel's own")
def _lsmagic(kernel: Contender) -> Any:
    names = [
        "edit",
        "clear",
        "less",
        "more",
        "man",
        "connect_info",
        "autosave",
        "pip",
        "matplotlib",
    ]
    exchange = kernel.cell(
        f"[n for n in {names} if n in get_ipython().magics_manager.lsmagic()['line']]"
    )
    return exchange.contents("execute_result")[0]["data"]["text/plain"].split()


PROBES.cell("%less and %more page", "%less made.py", "%more made.py")
PROBES.cell(
    "%config",
    "%config InteractiveShell.ast_node_interactivity = 'all'\n",
    "1\n2",
    "%config InteractiveShell.ast_node_interactivity = 'last_expr'",
)
PROBES.cell("automagic", "%automagic", "pwd;", "%automagic")
PROBES.cell("auto-call and auto-quote syntax", "/len [1, 2]", ",len a b;")
PROBES.cell("an unknown magic", "%nothing_like_this", "%%nothing_like_this\nx")
PROBES.cell(
    "matplotlib is to draw inline",
    "import os\nos.environ.get('MPLBACKEND')",
    "get_ipython().enable_gui(None)",
)
PROBES.cell("%logstop, %unload_ext, %dhist", "%logstop", "%unload_ext nothing", "len(_dh) > 0")


PROBES.cell(
    "%tb without an error, and after one", "%xmode Minimal", "1 / 0", "%tb", "%xmode Context"
)
PROBES.cell("%gui takes none or inline", "%gui", "%gui inline")
PROBES.cell(
    "%time of a cell that awaits",
    "%%capture timed\n%time await asyncio.sleep(0, 1)",
    "timed.outputs",
)
PROBES.cell(
    "%notebook and %logstart", "%notebook here.ipynb", "%logstart -q log.py over", "%logstop"
)
PROBES.cell("%%script of nothing", "%%script", refused=_explained("no subprocesses"), why=REFUSED)
PROBES.cell(
    "%conda outside of conda",
    "%conda list",
    better=_explained("--preload"),
    why="says how packages come in",
)
PROBES.cell(
    "%edit", "%edit made.py", refused=_explained("%%writefile"), why="no editor reaches the sandbox"
)
PROBES.cell("%clear", "%clear", better=_explained("clear_output"), why="without a terminal")
PROBES.cell(
    "%connect_info",
    "%connect_info",
    refused=_explained("kept from the sandbox"),
    why="the key stays outside",
)
PROBES.cell("%autosave", "%autosave 60")


@PROBES.probe("%store")
def _store(kernel: Contender) -> Any:
    kernel.cell("kept = 5\n%store kept")
    exchange = kernel.cell("del kept\n%store -r kept\nkept")
    return [
        exchange.content["status"],
        tail(exchange),
        exchange.contents("execute_result")[:1] and exchange.contents("execute_result")[0]["data"],
    ]


@PROBES.probe("%debug without an error, and %pdb")
def _pdb(kernel: Contender) -> Any:
    exchange = kernel.cell("%pdb off")
    return only(exchange.content, "status")


@PROBES.probe("%debug after an error asks at the prompt")
def _debug(kernel: Contender) -> Any:
    kernel.cell("def broken(k):\n    raise ValueError(k)\nbroken(7)")
    exchange, asked = kernel.answering("%debug", "p k", "q")
    return [
        exchange.content["status"],
        [question["prompt"] for question in asked],
        "7" in exchange.text(),
    ]


@PROBES.probe("%pdb on asks after an error")
def _pdb_on(kernel: Contender) -> Any:
    kernel.cell("%pdb on")
    exchange, asked = kernel.answering(
        "def breaks(k):\n    raise ValueError(k)\nbreaks(8)", "p k", "q"
    )
    kernel.cell("%pdb off")
    return [exchange.content["status"], len(asked), "8" in exchange.text()]


@PROBES.probe(
    "breakpoint()",
    better=lambda seen: seen == ["ok", 2, True],
    why="it stops and asks",
)
def _breakpoint(kernel: Contender) -> Any:
    code = "def stops():\n    here = 6\n    breakpoint()\n    return here\nstops()"
    exchange, asked = kernel.answering(code, "p here * 7", "c")
    return [exchange.content["status"], len(asked), "42" in exchange.text()]


@PROBES.probe("!command", refused=_explained("no subprocesses"), why=REFUSED)
def _shell(kernel: Contender) -> Any:
    exchange = kernel.cell("!echo hi")
    return [exchange.content["status"], exchange.text(), exchange.text("stderr")]


@PROBES.probe("lines = !command", refused=_explained("no subprocesses"), why=REFUSED)
def _getoutput(kernel: Contender) -> Any:
    return shown(kernel.cell("lines = !echo hi\nlines"))


@PROBES.probe("%%bash", refused=_explained("no subprocesses"), why=REFUSED)
def _bash(kernel: Contender) -> Any:
    exchange = kernel.cell("%%bash\necho hi")
    return [exchange.content["status"], exchange.text(), exchange.text("stderr"), tail(exchange)]


@PROBES.probe("%sx and %system", refused=_explained("no subprocesses"), why=REFUSED)
def _sx(kernel: Contender) -> Any:
    return [shown(kernel.cell("%sx echo hi")), shown(kernel.cell("%system echo hi"))]


@PROBES.probe(
    "%pip install", refused=_explained("--preload"), why="one line says how packages come in"
)
def _pip(kernel: Contender) -> Any:
    exchange = kernel.cell("%pip install --no-index --quiet nothing-of-this-name")
    return [exchange.content["status"], exchange.text(), exchange.text("stderr"), tail(exchange)]
