"""Probes of ipywidgets: what a program shows can be moved, and moves the program."""

from __future__ import annotations

from typing import Any

from benchmarks.contender import Contender
from benchmarks.probe import Probes

PROBES = Probes("widgets")
Wire = dict[str, Any]

INTERACT = """
from ipywidgets import interact
@interact(n=(0, 10))
def shout(n=3):
    print('n is', n)
"""
OUTPUT = """
from ipywidgets import Output
out = Output()
with out:
    print('inside')
print('outside')
"""


def _opened(published: list[Wire]) -> list[Wire]:
    return [message["content"] for message in published if message["msg_type"] == "comm_open"]


def _model(content: Wire) -> str:
    return str(content["data"]["state"].get("_model_name"))


def _captures(published: list[Wire], message_id: str) -> list[bool]:
    """Of each time an Output widget says whose output it takes: whether it takes this request's."""
    states = [
        message["content"]["data"].get("state", {})
        for message in published
        if message["msg_type"] == "comm_msg"
    ]
    return [state["msg_id"] == message_id for state in states if "msg_id" in state]


@PROBES.probe("interact shows a slider, which changes the output")
def _interact(kernel: Contender) -> Any:
    kernel.bring("ipywidgets")
    opened = _opened(kernel.cell(INTERACT).published)
    slider = next(content for content in opened if _model(content) == "IntSliderModel")
    change = {"method": "update", "state": {"value": 7}, "buffer_paths": []}
    moved = kernel.send("comm_msg", {"comm_id": slider["comm_id"], "data": change})
    published = kernel.published(moved)
    said = [m["content"]["text"] for m in published if m["msg_type"] == "stream"]
    return [[_model(content) for content in opened], said, _captures(published, moved)]


@PROBES.probe("an Output widget takes what is printed within it")
def _output(kernel: Contender) -> Any:
    message_id = kernel.start(OUTPUT)
    kernel.reply(message_id)
    return _captures(kernel.published(message_id), message_id)


@PROBES.probe("a widget's state, with its binary buffers")
def _image(kernel: Contender) -> Any:
    exchange = kernel.cell("from ipywidgets import Image\nImage(value=b'bytes', format='png')")
    [image] = [
        message
        for message in exchange.published
        if message["msg_type"] == "comm_open" and _model(message["content"]) == "ImageModel"
    ]
    view = exchange.contents("execute_result")[0]["data"]
    paths = image["content"]["data"]["buffer_paths"]
    return [paths, [bytes(buffer).decode() for buffer in image["buffers"]], sorted(view)]


@PROBES.probe("a click calls the program")
def _click(kernel: Contender) -> Any:
    made = "from ipywidgets import Button\nb = Button()\nb.on_click(lambda _: print('clicked'))\nb"
    button = next(c for c in _opened(kernel.cell(made).published) if _model(c) == "ButtonModel")
    event = {"method": "custom", "content": {"event": "click"}}
    sent = kernel.send("comm_msg", {"comm_id": button["comm_id"], "data": event})
    return [m["content"]["text"] for m in kernel.published(sent) if m["msg_type"] == "stream"]
