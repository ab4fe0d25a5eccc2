"""Probes of the control channel, of interrupts, and of what a client cannot expect."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.contender import PATIENCE, Contender
from benchmarks.probe import Probes, kinds, shown

PROBES = Probes("control")
NEVER = 3
"""Seconds to wait for what may never come."""
SETTLED = 0.1
"""Seconds after which a cell that has printed has come to what follows."""


def _interrupted(kernel: Contender, code: str, seconds: float = PATIENCE) -> Any:
    message_id = kernel.start("print('running')\n" + code)
    kernel.until(lambda m: m["msg_type"] == "stream")
    time.sleep(SETTLED)
    kernel.manager.interrupt_kernel()
    content = kernel.reply(message_id, seconds=seconds)["content"]
    kernel.published(message_id)
    return [content["status"], content["ename"], shown(kernel.cell("'alive'"))]


@PROBES.probe("an interrupt ends a loop")
def _loop(kernel: Contender) -> Any:
    return _interrupted(kernel, "while True: pass")


@PROBES.probe("an interrupt ends time.sleep")
def _sleep(kernel: Contender) -> Any:
    return _interrupted(kernel, "import time; time.sleep(60)")


@PROBES.probe("an interrupt can be caught")
def _caught(kernel: Contender) -> Any:
    code = "try:\n    print('running', flush=True)\n    while True: pass\nexcept KeyboardInterrupt:\n    print('caught')"
    message_id = kernel.start(code)
    kernel.until(lambda m: m["msg_type"] == "stream")
    time.sleep(SETTLED)
    kernel.manager.interrupt_kernel()
    status = kernel.reply(message_id)["content"]["status"]
    return [
        status,
        [m["content"]["text"] for m in kernel.published(message_id) if m["msg_type"] == "stream"][
            -1:
        ],
    ]


@PROBES.probe("control answers while a cell runs")
def _busy(kernel: Contender) -> Any:
    message_id = kernel.start("print('running')\nimport time\ntime.sleep(1)")
    kernel.until(lambda m: m["msg_type"] == "stream")
    asked = kernel.send("kernel_info_request", channel="control")
    status = kernel.reply(asked, "control")["content"]["status"]
    finished = any(m["msg_type"] == "execute_reply" for m in _waiting(kernel))
    kernel.published(message_id)
    return [status, finished]


def _waiting(kernel: Contender) -> list[dict[str, Any]]:
    messages = []
    while kernel.client.shell_channel.msg_ready():
        messages.append(kernel.client.get_shell_msg(timeout=PATIENCE))
    return messages


@PROBES.probe("usage_request says what the session takes")
def _usage(kernel: Contender) -> Any:
    content = kernel.ask("usage_request", channel="control").content
    return [name in content for name in ("kernel_cpu", "kernel_memory", "hostname", "pid")]


@PROBES.probe("connect_request names the ports")
def _connect(kernel: Contender) -> Any:
    content = kernel.ask("connect_request").content
    ports = dict(kernel.manager.get_connection_info())
    names = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")
    return [content.get(name) == ports[name] for name in names]


@PROBES.probe("an unknown message breaks nothing")
def _unknown(kernel: Contender) -> Any:
    kernel.send("nonsense_request", {"a": 1})
    return shown(kernel.cell("'alive'"))


@PROBES.probe("a message with a bad signature is dropped")
def _bad_signature(kernel: Contender) -> Any:
    session, key = kernel.client.session, kernel.client.session.key
    session.key = b"wrong"
    kernel.start("forged = 1")
    session.key = key
    time.sleep(0.1)
    return shown(kernel.cell("'forged' in globals()"))


@PROBES.probe(
    "a second subscriber is welcomed too",
    better=lambda seen: seen[0] == "iopub_welcome",
    why="not only the first one of a kind",
)
def _welcome(kernel: Contender) -> Any:
    with kernel.other_client() as client:
        message = client.get_iopub_msg(timeout=NEVER)
        return [message["msg_type"], message["content"]]


@PROBES.probe("two clients each get their replies and see all")
def _two(kernel: Contender) -> Any:
    with kernel.other_client() as other:
        mine, theirs = kernel.start("'mine'"), other.execute("'theirs'")
        reply = kernel.reply(mine)
        while (answer := other.get_shell_msg(timeout=PATIENCE))["msg_type"] != "execute_reply":
            continue
        seen = kernel.published(theirs)
        ids = [message["parent_header"]["msg_id"] for message in (reply, answer)]
        return [ids == [mine, theirs], [message["msg_type"] for message in seen]]


@PROBES.probe("the heart beats while a cell runs")
def _heart(kernel: Contender) -> Any:
    return kernel.client.hb_channel.is_beating()


@PROBES.probe(
    "subshells, where they are offered",
    better=lambda seen: seen == "not offered",
    why="one thread cannot run two cells, and it does not say that it can",
)
def _subshells(kernel: Contender) -> Any:
    info = kernel.ask("kernel_info_request").content
    offered = "kernel subshells" in info.get("supported_features", [])
    return "offered" if offered else "not offered"


@PROBES.probe("a restart leaves a working kernel without its variables")
def _restart(kernel: Contender) -> Any:
    kernel.cell("before = 1")
    kernel.manager.restart_kernel(now=False)
    kernel.client.wait_for_ready(timeout=PATIENCE)
    exchange = kernel.cell("'before' in globals()")
    return [
        kinds(exchange),
        exchange.contents("execute_result")[0]["data"],
        exchange.content["execution_count"],
    ]


@PROBES.probe(
    "an interrupt ends an await",
    better=lambda seen: seen[:2] == ["error", "KeyboardInterrupt"],
    why="ipykernel's sleeps on",
)
def _await(kernel: Contender) -> Any:
    return _interrupted(kernel, "import asyncio; await asyncio.sleep(60)", NEVER)
