"""Flaw 12: a host proxy on 0.0.0.0 without auth; an unauthenticated LM handler over TCP."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rlm_kernel.agent import (
    RLM_REPL,
    CodeStarted,
    LiteLLMModel,
    SidecarREPLFactory,
    SubCallStarted,
)
from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.testing import ScriptedModelServer
from tests.agent.runs import code
from tests.processes import descendants_of

KEY = "sk-a-secret-of-the-agent"
HALVES = (KEY[:10], KEY[10:])
LISTENING = "0A"  # a state in /proc/net/tcp

SEARCH = f"""
import gc, os, sys
reply = llm_query('anything')
gc.unfreeze()  # or what was there from the start would not be found
secret = {HALVES[0]!r} + {HALVES[1]!r}
texts = [text for each in gc.get_objects() if isinstance(each, (dict, list, tuple, set))
         for text in (each.values() if isinstance(each, dict) else each) if isinstance(text, str)]
found = [text for text in texts if secret in text and text is not secret]
print(len(texts) > 10_000, found, [name for name in os.environ if 'KEY' in name or 'TOKEN' in name])
"""
OUTSIDE = """
import socket
for make in (lambda: socket.create_connection(('127.0.0.1', {port}), 1),
             lambda: socket.create_server(('127.0.0.1', 0)),
             lambda: open('/proc/self/environ')):
    try:
        make()
        print('possible')
    except OSError as error:
        print('impossible')
"""


def listening(pid: int) -> set[str]:
    """The addresses on which a process listens."""
    links = Path(f"/proc/{pid}/fd").iterdir()
    owned = {target for link in links for target in _target(link)}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and f"socket:[{fields[9]}]" in owned:
                found.add(fields[1])
    return found


def environment_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # a copy of a session that is over
        return b""


def _target(link: Path) -> list[str]:
    try:
        return [str(link.readlink())]
    except OSError:  # closed meanwhile
        return []


async def test_the_agent_listens_nowhere_while_code_calls_it(factory: SidecarREPLFactory) -> None:
    with ScriptedModelServer([code("llm_query('x')"), "reply", "FINAL(1)"]) as server:
        before = listening(os.getpid())  # the scripted server's own
        seen: list[set[str]] = []
        model = LiteLLMModel(server.model_name, api_base=server.base_url, api_key=KEY)
        async for event in RLM_REPL(model, repl_factory=factory).astream():
            if isinstance(event, CodeStarted | SubCallStarted):
                seen.append(listening(os.getpid()))
        assert seen == [before, before]


def test_sessions_reach_nothing_and_their_processes_listen_nowhere(
    factory: SidecarREPLFactory, manager: ManagerProcess
) -> None:
    with ScriptedModelServer() as server:
        port = int(server.base_url.rpartition(":")[2].partition("/")[0])
    script = [code(OUTSIDE.format(port=port)), "FINAL(1)"]
    with ScriptedModelServer(script) as server:
        model = LiteLLMModel(server.model_name, api_base=server.base_url, api_key=KEY)
        RLM_REPL(model, repl_factory=factory).completion()
        assert server.requests[1].last == "Output:\nimpossible\nimpossible\nimpossible"


def test_the_key_never_enters_a_session(factory: SidecarREPLFactory) -> None:
    with ScriptedModelServer([code(SEARCH), f"the key is {KEY[:3]}...", "FINAL(1)"]) as server:
        model = LiteLLMModel(server.model_name, api_base=server.base_url, api_key=KEY)
        RLM_REPL(model, repl_factory=factory).completion()
        assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"
        assert server.requests[2].last == "Output:\nTrue [] []"


def test_keys_are_in_no_environment_of_where_code_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ManagerProcess() as manager:
        factory = SidecarREPLFactory(manager.url, manager.token)
        with ScriptedModelServer([code("1"), "FINAL(1)"]) as server:
            model = LiteLLMModel(server.model_name, api_base=server.base_url)
            rlm = RLM_REPL(model, repl_factory=factory)
            rlm.completion()
            pids = descendants_of(os.getpid())
            assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"
        environments = [environment_of(pid) for pid in pids]
        assert len(environments) >= 2  # the manager and its zygote
        assert [env for env in environments if KEY.encode() in env] == []
        assert any(b"PATH=" in env for env in environments)
