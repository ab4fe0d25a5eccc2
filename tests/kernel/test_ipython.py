"""IPython in a session, where it differs from IPython in a terminal."""

from __future__ import annotations

import json

from tests.kernel.peer import Peer


def test_the_history_is_exported_without_a_library(peer: Peer) -> None:
    for code in ("x = 6", "x * 7", "1 / 0", "%notebook here.ipynb"):
        peer.execute(code)
    read = peer.execute("print(open('here.ipynb').read())").text()
    cells = json.loads(read)["cells"]
    assert [cell["source"] for cell in cells] == ["x = 6", "x * 7", "1 / 0"]
    assert cells[1]["outputs"][0]["data"] == {"text/plain": "42"}
    assert cells[2]["outputs"][0]["ename"] == "ZeroDivisionError"


def test_a_result_that_cannot_be_shown_fails_its_cell(peer: Peer) -> None:
    peer.execute("class Bad:\n    def __repr__(self):\n        return 1 / 0")
    ran = peer.execute("Bad()")
    assert (ran.content["status"], ran.content["ename"]) == ("error", "ZeroDivisionError")
    assert peer.execute("'next'").content["status"] == "ok"


def test_a_module_beside_the_notebook_is_imported(peer: Peer) -> None:
    peer.execute("%%writefile beside.py\nvalue = 42")
    ran = peer.execute("import beside", user_expressions={"value": "beside.value"})
    assert ran.content["user_expressions"]["value"]["data"]["text/plain"] == "42"


def test_context_variables_last_from_cell_to_cell(peer: Peer) -> None:
    peer.execute("import asyncio, contextvars\nv = contextvars.ContextVar('v')\nv.set(1);")
    peer.execute("await asyncio.sleep(0)\nv.set(v.get() + 1);")
    ran = peer.execute("", user_expressions={"value": "v.get()"})
    assert ran.content["user_expressions"]["value"]["data"]["text/plain"] == "2"
