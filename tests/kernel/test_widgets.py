"""ipywidgets, preloaded into the installed kernel: what a person moves moves the program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from rlm_kernel.kernel import kernelspec
from tests.kernel.packages import WIDGETS
from tests.kernel.peer import Exchange, Peer

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A running kernel, as a kernelspec with the package starts it."""
    folder = kernelspec.install(prefix=tmp_path_factory.mktemp("prefix"), preload=[WIDGETS])
    specs = KernelSpecManager(kernel_dirs=[str(folder.parent)])
    manager = KernelManager(kernel_name=kernelspec.NAME, kernel_spec_manager=specs)
    manager.start_kernel()
    yield dict(manager.get_connection_info(session=False))
    manager.shutdown_kernel(now=True)


@pytest.fixture
def peer(connection: dict[str, Any]) -> Iterator[Peer]:
    with Peer(connection) as peer:
        yield peer


def opened(exchange: Exchange, model: str) -> dict[str, Any]:
    """The message that opened the widget with this model."""
    messages = (m for m in exchange.published if m["msg_type"] == "comm_open")
    return next(m for m in messages if m["content"]["data"]["state"]["_model_name"] == model)


def move(peer: Peer, widget: dict[str, Any], **data: Any) -> Exchange:
    """What the program does where a frontend sends this to the widget."""
    sent = peer.send("comm_msg", {"comm_id": widget["content"]["comm_id"], "data": data})
    return Exchange({}, peer.published(sent))


def captured(exchange: Exchange) -> list[str]:
    """The messages whose output an Output widget has asked for, in turn; empty for none."""
    states = (c["data"].get("state", {}) for c in exchange.contents("comm_msg"))
    return [state["msg_id"] for state in states if "msg_id" in state]


def test_a_slider_that_is_moved_changes_the_output(peer: Peer) -> None:
    shown = peer.execute(
        "from ipywidgets import interact\n"
        "@interact(n=(0, 10))\n"
        "def shout(n=3):\n"
        "    print('n is', n)"
    )
    assert shown.text() == "n is 3\n"
    slider = opened(shown, "IntSliderModel")
    moved = move(peer, slider, method="update", state={"value": 7}, buffer_paths=[])
    assert moved.text() == "n is 7\n"
    assert captured(moved) == [moved.published[0]["parent_header"]["msg_id"], ""]


def test_a_button_that_is_clicked_calls_the_program(peer: Peer) -> None:
    code = "from ipywidgets import Button\nb = Button()\nb.on_click(lambda _: print('ow'))\nb"
    button = opened(peer.execute(code), "ButtonModel")
    clicked = move(peer, button, method="custom", content={"event": "click"})
    assert clicked.text() == "ow\n"


def test_a_widgets_bytes_are_sent_beside_its_state(peer: Peer) -> None:
    shown = peer.execute("from ipywidgets import Image\nImage(value=b'bytes', format='png')")
    image = opened(shown, "ImageModel")
    assert image["content"]["data"]["buffer_paths"] == [["value"]]
    assert [bytes(buffer) for buffer in image["buffers"]] == [b"bytes"]
    view = shown.contents("execute_result")[0]["data"][VIEW]
    assert view["model_id"] == image["content"]["comm_id"]


def test_a_program_that_moves_a_slider_tells_the_frontend(peer: Peer) -> None:
    slider = opened(
        peer.execute("from ipywidgets import IntSlider\ns = IntSlider(3)\ns"), "IntSliderModel"
    )
    moved = peer.execute("s.value = 8")
    [told] = moved.contents("comm_msg")
    assert told["comm_id"] == slider["content"]["comm_id"]
    assert told["data"]["state"] == {"value": 8}
