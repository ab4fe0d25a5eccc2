"""The seal of a real session, tried in its own process: a fresh one, a fork, a standby."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from rlm_kernel.sandbox import Session, Zygote
from rlm_kernel.sandbox.system_calls import NUMBERS
from tests.sandbox.sessions import run, session, until_standby

REFUSALS = {"EPERM", "EACCES", "ENOSYS"}
KEPT = ["device", "device", "device", "event", "pipe", "pipe", "socket", "socket", "socket"]
NEEDED = "NEEDED "

pytestmark = pytest.mark.skipif(not NUMBERS, reason="the system calls are not known")


class ProbingZygote(Zygote):
    module = "tests.sandbox.probing_zygote"


async def probe(session: Session, *others: int) -> dict[str, Any]:
    """What the session's own process reports of its attempts."""
    content = {
        "path": "probe",
        "owner": os.getpid(),
        "others": list(others),
        "mapped_files": mapped_files(session.pid),
    }
    reply = await session._exchange("probe", content, b"")
    outcomes: dict[str, Any] = reply.content["outcomes"]
    assert "failed" not in outcomes, outcomes["failed"]
    return outcomes


def mapped_files(pid: int) -> list[int]:
    """Where the process has files of the host in its memory that others see the same pages of.

    Only root may know it of a process that cannot be dumped.
    """
    try:
        lines = [line.split() for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    except PermissionError:
        return []
    return [int(line[0].split("-")[0], 16) for line in lines if line[1].endswith("s")]


def assert_sealed(outcomes: dict[str, Any]) -> None:
    attempts = outcomes["attempts"]
    assert {name for name in attempts if attempts[name] == "done"} == {
        name for name in attempts if name.startswith(NEEDED)
    }
    refused = {name: attempts[name] for name in attempts if not name.startswith(NEEDED)}
    assert [item for item in refused.items() if item[1] not in REFUSALS] == []
    assert outcomes["numbers"] == {}, "calls that the filter lets through"
    assert sorted(kind.split()[0] for kind in outcomes["descriptors"].values()) == KEPT


def capabilities(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    return {name: int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff")}


def lines(outcomes: dict[str, Any]) -> set[str]:
    """The sockets and pipes of a process, each of which is its own."""
    return {kind for kind in outcomes["descriptors"].values() if kind.startswith(("so", "pi"))}


async def test_a_session_a_fork_and_a_standby_are_refused_all_that_no_session_needs() -> None:
    zygote = await ProbingZygote.start()
    try:
        first, other = await zygote.spawn(), await zygote.spawn()
        others = (zygote.pid, other.pid)
        fresh = await probe(first, *others)
        assert_sealed(fresh)

        fork = await first.fork()
        forked = await probe(fork, *others, first.pid)
        assert_sealed(forked)

        await run(first, "x = 'kept'")
        await until_standby(first)
        os.kill(first.pid, signal.SIGKILL)
        assert (await run(first, "1")).state == "rolled_back"
        assert (await run(first, "x")).result == "'kept'"
        standby = await probe(first, *others, fork.pid)
        assert_sealed(standby)

        assert not lines(fresh) & lines(forked)
        assert not lines(fresh) & lines(standby)
        assert not lines(forked) & lines(standby)
        assert (await run(other, "1 + 1")).result == "2"
    finally:
        await zygote.close()


async def test_a_session_of_the_real_program_knows_no_probe(zygote: Zygote) -> None:
    async with session(zygote) as one:
        content: dict[str, Any] = {"path": "probe"}
        asked = asyncio.ensure_future(one._exchange("probe", content, b""))
        await asyncio.wait([asked], timeout=1)
        assert not asked.done() or asked.exception() is not None
        asked.cancel()


async def test_a_session_has_no_capability_even_where_its_owner_has_all(zygote: Zygote) -> None:
    async with session(zygote) as one:
        await run(one, "1")
        assert capabilities(one.pid) == {"CapInh": 0, "CapPrm": 0, "CapEff": 0}
