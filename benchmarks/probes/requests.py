"""Probes of the requests that run no cell: complete, inspect, is_complete, history, comms."""

from __future__ import annotations

from typing import Any

from benchmarks.contender import Contender
from benchmarks.probe import Probes, kinds, only, settled, shown

PROBES = Probes("requests")


def _complete(kernel: Contender, code: str) -> dict[str, Any]:
    return kernel.ask("complete_request", {"code": code, "cursor_pos": len(code)}).content


@PROBES.probe("kernel_info")
def _info(kernel: Contender) -> Any:
    content = kernel.ask("kernel_info_request").content
    language = content["language_info"]
    names = ("name", "mimetype", "file_extension", "nbconvert_exporter", "pygments_lexer")
    return [
        content["implementation"],
        content["status"],
        only(language, *names),
        language["codemirror_mode"],
    ]


@PROBES.probe("completion of attributes")
def _attributes(kernel: Contender) -> Any:
    kernel.cell("import string")
    content = _complete(kernel, "string.ascii_")
    return [
        sorted(content["matches"]),
        content["cursor_start"],
        content["cursor_end"],
        content["status"],
    ]


@PROBES.probe(
    "completion has types and signatures",
    better=lambda seen: seen[0] == ["compute_it", "function", "(a, b)"] and "instance" in seen[1],
    why="of variables too",
)
def _types(kernel: Contender) -> Any:
    kernel.cell("def compute_it(a, b): pass\nclass ComputeThis: pass\ncompute_value = 1")
    typed = _complete(kernel, "compute_")["metadata"]["_jupyter_types_experimental"]
    return sorted([entry["text"], entry["type"], entry["signature"]] for entry in typed)


@PROBES.probe("completion of dict keys, magics and files")
def _other(kernel: Contender) -> Any:
    kernel.cell("box = {'apple': 1, 'apricot': 2}\nopen('completed.txt', 'w').close()")
    codes = ("box['ap", "%timei", "%%writef", "open('comple")
    return [sorted(_complete(kernel, code)["matches"]) for code in codes]


@PROBES.probe("completion of keyword arguments and modules")
def _arguments(kernel: Contender) -> Any:
    kernel.cell("def call_me(first_option=1, second_option=2): pass")
    found = [
        _complete(kernel, code)["matches"]
        for code in ("call_me(first_", "import xml.et", "from json import dum")
    ]
    return [sorted(matches) for matches in found]


@PROBES.probe("completion after a call (jedi)")
def _jedi(kernel: Contender) -> Any:
    return [
        "upper" in _complete(kernel, "'a'.join([]).upp")["matches"],
        "split" in _complete(kernel, "str(1).spl")["matches"],
    ]


@PROBES.probe("completion within a cell of many lines")
def _many_lines(kernel: Contender) -> Any:
    code = "import string\nx = 1\nstring.ascii_l"
    content = kernel.ask(
        "complete_request", {"code": code + "\ny = 2", "cursor_pos": len(code)}
    ).content
    return [content["matches"], content["cursor_start"], content["cursor_end"]]


@PROBES.probe(
    "inspect, in its mime types",
    better=lambda seen: "text/html" in str(seen) and "text/plain" in str(seen),
    why="in HTML beside the text",
)
def _inspect(kernel: Contender) -> Any:
    kernel.cell("def looked_at(a, b=2):\n    'what it does'")
    code = "looked_at(1, "
    content = kernel.ask("inspect_request", {"code": code, "cursor_pos": len(code)}).content
    return settled([content["found"], content["data"], content["status"]])


@PROBES.probe(
    "inspect with the source",
    better=lambda seen: "text/html" in str(seen) and "text/plain" in str(seen),
    why="in HTML beside the text",
)
def _source(kernel: Contender) -> Any:
    request = {"code": "looked_at", "cursor_pos": 9, "detail_level": 1}
    return settled(kernel.ask("inspect_request", request).content)


@PROBES.probe("inspect of nothing")
def _nothing(kernel: Contender) -> Any:
    return kernel.ask("inspect_request", {"code": "never_defined", "cursor_pos": 5}).content


@PROBES.probe("is_complete: complete, incomplete, invalid, indent")
def _is_complete(kernel: Contender) -> Any:
    codes = (
        "x = 1",
        "for i in x:",
        "x = = 1",
        "def f():\n    return 1\n",
        "if x:\n    if y:\n",
        "'''",
        "%%time\n",
        "await x",
        "f(",
    )
    return [kernel.ask("is_complete_request", {"code": code}).content for code in codes]


def _history(kernel: Contender, **content: Any) -> list[Any]:
    request = {"output": False, "raw": True, **content}
    history: list[Any] = kernel.ask("history_request", request).content["history"]
    return [entry[2] for entry in history]


@PROBES.probe(
    "history: tail, with and without outputs",
    better=lambda seen: seen[1] == [["h1 = 1", None], ["h1 + 1", "2"]],
    why="outputs are kept",
)
def _tail(kernel: Contender) -> Any:
    for code in ("h1 = 1", "h1 + 1"):
        kernel.cell(code)
    return [
        _history(kernel, hist_access_type="tail", n=2),
        _history(kernel, hist_access_type="tail", n=2, output=True),
    ]


@PROBES.probe("history: search, unique")
def _search(kernel: Contender) -> Any:
    for code in ("needle = 1", "needle = 1", "needle = 2"):
        kernel.cell(code)
    found = _history(kernel, hist_access_type="search", pattern="needle*", unique=True, n=5)
    return [found, _history(kernel, hist_access_type="search", pattern="*= 2", n=1)]


@PROBES.probe("history: range of this session")
def _range(kernel: Contender) -> Any:
    count = kernel.cell("'ranged'").content["execution_count"]
    return _history(kernel, hist_access_type="range", session=0, start=count, stop=count + 1)


OPENS = """
from comm import create_comm
def opened(comm, message):
    comm.on_msg(lambda m: comm.send({'got': m['content']['data']}, buffers=m['buffers']))
get_ipython().kernel.comm_manager.register_target('echo', opened)
"""
SENDS = """
c = create_comm(target_name='front', data={'hello': 1}, metadata={'m': 2}, buffers=[b'bytes'])
c.send({'n': 2}); c.close()
"""


@PROBES.probe("a comm that the kernel opens, with buffers")
def _comm_out(kernel: Contender) -> Any:
    kernel.cell("from comm import create_comm")
    exchange = kernel.cell(SENDS)
    messages = [m for m in exchange.published if m["msg_type"].startswith("comm_")]
    return [
        [
            m["msg_type"],
            m["content"]["data"],
            [bytes(b).decode() for b in m["buffers"]],
            m["metadata"],
        ]
        for m in messages
    ]


@PROBES.probe("a comm that the client opens: messages and buffers both ways")
def _comm_in(kernel: Contender) -> Any:
    defined = kernel.cell(OPENS).content["status"]
    if defined != "ok":
        return defined
    kernel.published(kernel.send("comm_open", {"comm_id": "c1", "target_name": "echo", "data": {}}))
    listed = kernel.ask("comm_info_request", {"target_name": "echo"}).content["comms"]
    sent = kernel.send("comm_msg", {"comm_id": "c1", "data": {"q": 1}}, buffers=[b"raw"])
    answers = [m for m in kernel.published(sent) if m["msg_type"] == "comm_msg"]
    kernel.published(kernel.send("comm_close", {"comm_id": "c1", "data": {}}))
    left = kernel.ask("comm_info_request", {"target_name": "echo"}).content["comms"]
    return [
        listed,
        [[m["content"], [bytes(b).decode() for b in m["buffers"]]] for m in answers],
        left,
    ]


@PROBES.probe("a comm that nobody awaits is closed")
def _comm_unknown(kernel: Contender) -> Any:
    message_id = kernel.send("comm_open", {"comm_id": "c9", "target_name": "nobody", "data": {}})
    return [m["content"] for m in kernel.published(message_id) if m["msg_type"] == "comm_close"]


@PROBES.probe("statuses around a request without a cell")
def _statuses(kernel: Contender) -> Any:
    return kinds(kernel.ask("comm_info_request"))


@PROBES.probe("set_next_input and paging payloads")
def _payloads(kernel: Contender) -> Any:
    exchange = kernel.cell(
        "get_ipython().set_next_input('x = 1', replace=True)\nfrom IPython.core import page\npage.page('long')"
    )
    return shown(exchange)
