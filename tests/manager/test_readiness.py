"""Readiness: proved by a cell, and for many at once by the same one."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from rlm_kernel.errors import NotReady, ZygoteError
from rlm_kernel.manager.readiness import Readiness
from rlm_kernel.manager.zygotes import ZygoteKeeper
from rlm_kernel.sandbox import Reply, Session


class CountingSession:
    def __init__(self, status: str) -> None:
        self._status = status
        self.closed = False

    async def request(self, kind: str, content: dict[str, Any], **options: Any) -> Reply:
        await asyncio.sleep(0)
        return Reply({"status": self._status, "ename": "Oops"}, "kept")

    async def close(self) -> None:
        self.closed = True


class CountingKeeper:
    """Hands out sessions whose cells end with `status`; None are no sessions at all."""

    def __init__(self, status: str | None = "ok") -> None:
        self.state = "ready"
        self.status = status
        self.spawned: list[CountingSession] = []

    async def spawn(self) -> Session:
        if self.status is None:
            raise ZygoteError("no luck")
        self.spawned.append(CountingSession(self.status))
        return cast(Session, self.spawned[-1])


def readiness(keeper: CountingKeeper) -> Readiness:
    return Readiness(cast(ZygoteKeeper, keeper))


def test_those_who_ask_at_once_or_soon_after_share_one_proof() -> None:
    async def scenario() -> None:
        keeper = CountingKeeper()
        ready = readiness(keeper)
        proofs = await asyncio.gather(*(ready.prove() for _ in range(100)))
        assert [*proofs, await ready.prove()] == [proofs[0]] * 101
        (session,) = keeper.spawned
        assert session.closed

    asyncio.run(scenario())


def test_an_old_proof_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlm_kernel.manager.readiness._FRESH_SECONDS", 0.0)

    async def scenario() -> None:
        keeper = CountingKeeper()
        ready = readiness(keeper)
        await ready.prove()
        await ready.prove()
        assert len(keeper.spawned) == 2

    asyncio.run(scenario())


def test_one_who_gives_up_does_not_take_the_proof_from_the_others() -> None:
    async def scenario() -> None:
        ready = readiness(CountingKeeper())
        impatient, patient = (asyncio.ensure_future(ready.prove()) for _ in range(2))
        await asyncio.sleep(0)
        impatient.cancel()
        assert (await patient).status == "ready"

    asyncio.run(scenario())


@pytest.mark.parametrize("status", ["error", "aborted"])
def test_a_cell_that_fails_is_a_proof_of_the_contrary(status: str) -> None:
    async def scenario() -> None:
        with pytest.raises(NotReady, match="Oops"):
            await readiness(CountingKeeper(status)).prove()

    asyncio.run(scenario())


def test_a_zygote_that_cannot_fork_is_told_to_all() -> None:
    async def scenario() -> None:
        ready = readiness(CountingKeeper(None))
        told = await asyncio.gather(*(ready.prove() for _ in range(3)), return_exceptions=True)
        assert [type(each) for each in told] == [ZygoteError] * 3

    asyncio.run(scenario())


def test_without_a_zygote_nothing_is_proved_anew_or_remembered() -> None:
    async def scenario() -> None:
        keeper = CountingKeeper()
        ready = readiness(keeper)
        await ready.prove()
        keeper.state = "starting"
        with pytest.raises(NotReady, match="starting"):
            await ready.prove()

    asyncio.run(scenario())
