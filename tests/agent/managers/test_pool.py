"""Several managers: new sessions go to one that can, old ones stay where they are."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import aclosing, closing, suppress

import pytest

from rlm_kernel.agent import RLM_REPL, OutputWritten, SidecarREPLFactory
from rlm_kernel.agent.managers import probe
from rlm_kernel.agent.managers.pool import ManagerPool
from rlm_kernel.errors import (
    ManagerUnavailable,
    NotReady,
    SessionExpired,
    SessionNotFound,
    TooManySessions,
    Unauthorized,
)
from rlm_kernel.testing import ScriptedModelServer
from tests.agent.managers.changing import ChangingAddresses
from tests.agent.managers.conftest import (
    TOKEN,
    client_of,
    pool_of,
    running,
    sessions_of,
    start_manager,
    wait_until_ready,
)
from tests.agent.runs import code, model_of
from tests.manager.process import ManagerProcess

NOBODY = "http://127.0.0.1:9"


def factory_of(*managers: ManagerProcess | str) -> SidecarREPLFactory:
    return SidecarREPLFactory("http://unused", managers=pool_of(*managers))


def home_of(session_id: str, managers: list[ManagerProcess]) -> ManagerProcess:
    (home,) = (one for one in managers if session_id in sessions_of(one))
    return home


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - nothing tells it
        await asyncio.sleep(0.01)


async def kill_once_it_runs(rlm: RLM_REPL, manager: ManagerProcess) -> None:
    async with aclosing(rlm.astream("abc")) as events:
        async for event in events:
            if isinstance(event, OutputWritten) and "started" in event.text:
                os.kill(manager.pid, signal.SIGKILL)


async def test_new_sessions_go_to_the_less_busy_of_two(pair: list[ManagerProcess]) -> None:
    with client_of(pair[0]) as http:
        for _ in range(4):
            http.post("/session")
    factory = factory_of(*pair)
    for _ in range(8):
        await factory.create_session()
    assert [len(sessions_of(one)) for one in pair] == [6, 6]


async def test_sessions_that_are_made_at_once_do_not_crowd(pair: list[ManagerProcess]) -> None:
    factory = factory_of(*pair)
    made = await asyncio.gather(*(factory.create_session() for _ in range(20)))
    counts = [len(sessions_of(one)) for one in pair]
    assert sum(counts) == len(set(made)) == 20
    assert min(counts) >= 5


async def test_a_setting_lists_managers_with_commas(
    pair: list[ManagerProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = pair
    monkeypatch.setenv("WASM_MANAGER_SERVICE_URL", f"{first.url}/ , {second.url}")
    monkeypatch.setenv("RLM_KERNEL_TOKEN", TOKEN)
    from rlm_kernel.agent import create_sidecar_repl_factory

    factory = create_sidecar_repl_factory()
    for _ in range(4):
        await factory.create_session()
    assert [len(sessions_of(one)) for one in pair] == [2, 2]


async def test_a_session_stays_with_its_manager_when_the_pool_changes(
    pair: list[ManagerProcess],
) -> None:
    addresses = ChangingAddresses(pair[0])
    factory = SidecarREPLFactory("http://unused", managers=ManagerPool(addresses, TOKEN))
    session = await factory.create_session()
    await factory.execute_in_session(session, "x = 42")
    addresses.urls = [pair[1].url, NOBODY]
    assert await factory.execute_in_session(session, "x") == "42"
    newer = await factory.create_session()
    assert home_of(newer, pair) is pair[1]
    await factory.destroy_session(session)
    assert sessions_of(pair[0]) == set()
    with pytest.raises(ManagerUnavailable, match=NOBODY):
        await factory.execute_in_session(session, "x")


async def test_a_session_that_another_agent_made_is_found(pair: list[ManagerProcess]) -> None:
    session = await factory_of(*pair).create_session()
    factory = factory_of(*pair)
    assert await factory.execute_in_session(session, "1 + 1") == "2"
    await factory.destroy_session(session)
    with pytest.raises(SessionNotFound):
        await factory.execute_in_session(session, "1")


async def test_a_session_that_may_be_on_a_silent_manager_is_not_said_to_be_none(
    pair: list[ManagerProcess],
) -> None:
    with pytest.raises(ManagerUnavailable, match=r"cannot be found: http://127\.0\.0\.1:9"):
        await factory_of(*pair, NOBODY).execute_in_session("no-such-session", "1")


async def test_a_session_that_has_expired_is_said_to_have() -> None:
    with running({"SESSION_TTL": "0.2"}, {}) as managers:
        with client_of(managers[0]) as http:
            session = http.post("/session").json()["session_id"]
            await until(lambda: http.get("/sessions").json()["sessions"] == [])
        with pytest.raises(SessionExpired, match="SESSION_TTL"):
            await factory_of(*managers).execute_in_session(session, "1")


async def test_a_dead_manager_is_passed_over(pair: list[ManagerProcess]) -> None:
    factory = factory_of(NOBODY, pair[0])
    made = {await factory.create_session() for _ in range(6)}
    assert sessions_of(pair[0]) == made


async def test_without_a_living_manager_the_error_names_each() -> None:
    with pytest.raises(ManagerUnavailable, match=r"127\.0\.0\.1:7.*127\.0\.0\.1:9"):
        await factory_of(NOBODY, "http://127.0.0.1:7").create_session()
    with pytest.raises(ManagerUnavailable, match="there is no manager"):
        await factory_of().create_session()


@pytest.fixture
def mute() -> Iterator[str]:
    """What takes connections and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


async def test_a_mute_manager_is_passed_over(
    pair: list[ManagerProcess], mute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "PROBE_SECONDS", 0.3)
    factory = factory_of(mute, pair[0])
    made = {await factory.create_session() for _ in range(3)}
    assert sessions_of(pair[0]) == made


async def test_a_full_manager_is_passed_over_until_all_are() -> None:
    with running({"MAX_SESSIONS": "1"}, {"MAX_SESSIONS": "2"}) as managers:
        factory = factory_of(*managers)
        made = [await factory.create_session() for _ in range(3)]
        assert [len(sessions_of(one)) for one in managers] == [1, 2]
        with pytest.raises(TooManySessions, match="all managers are full") as raised:
            await factory.create_session()
        assert raised.value.retry_after is not None
        assert 0 < raised.value.retry_after <= 3600
        await factory.destroy_session(made[1])
        await factory.create_session()
        assert [len(sessions_of(one)) for one in managers] == [1, 2]


async def test_a_manager_that_closes_down_keeps_its_sessions_and_gets_no_new_ones(
    pair: list[ManagerProcess],
) -> None:
    with running({}) as (leaving,):
        addresses = ChangingAddresses(leaving)
        factory = SidecarREPLFactory("http://unused", managers=ManagerPool(addresses, TOKEN))
        session = await factory.create_session()
        addresses.urls = [leaving.url, pair[0].url]
        running_cell = asyncio.create_task(
            factory.execute_in_session(
                session, "import asyncio\nwhile 'end' not in globals(): await asyncio.sleep(0.01)"
            )
        )
        with client_of(leaving) as http:
            await until(lambda: http.get(f"/session/{session}").json()["status"] == "busy")
            leaving.process.send_signal(signal.SIGTERM)
            await until(lambda: http.get("/ready").status_code == 503)
            made = {await factory.create_session() for _ in range(4)}
            assert sessions_of(pair[0]) == made
            http.post(f"/session/{session}/interrupt")
        assert "KeyboardInterrupt" in await running_cell
        assert leaving.process.wait(30) == 0


async def test_a_manager_that_still_starts_is_the_last_resort(pair: list[ManagerProcess]) -> None:
    with start_manager() as young:
        factory = factory_of(young, pair[0])
        await factory.create_session()
        assert len(sessions_of(pair[0])) == 1
        session = await factory_of(young, NOBODY).create_session()
        assert sessions_of(young) == {session}


async def test_a_wrong_token_is_no_reason_to_go_elsewhere(pair: list[ManagerProcess]) -> None:
    urls = ChangingAddresses(*pair)
    factory = SidecarREPLFactory("http://unused", managers=ManagerPool(urls, "another"))
    with pytest.raises(Unauthorized):
        await factory.create_session()


async def test_a_pool_is_ready_as_long_as_one_of_it_is(pair: list[ManagerProcess]) -> None:
    await factory_of(NOBODY, pair[0], "http://127.0.0.1:7").ready()
    with pytest.raises(
        NotReady, match=r"no manager is ready: http://127\.0\.0\.1:7: .*:9: no answ"
    ):
        await factory_of(NOBODY, "http://127.0.0.1:7").ready()
    with pytest.raises(NotReady, match=r"^no answer from http://127\.0\.0\.1:9"):
        await factory_of(NOBODY).ready()
    with pytest.raises(NotReady, match="there is none"):
        await factory_of().ready()


async def test_a_manager_that_is_killed_fails_its_run_and_the_next_goes_elsewhere(
    pair: list[ManagerProcess],
) -> None:
    with running({}) as (doomed,):
        addresses = ChangingAddresses(doomed)
        factory = SidecarREPLFactory("http://unused", managers=ManagerPool(addresses, TOKEN))
        with ScriptedModelServer([code("print('started')\nwhile True: pass")]) as server:
            rlm = RLM_REPL(model_of(server), repl_factory=factory)
            with pytest.raises(ManagerUnavailable, match=doomed.url):
                await kill_once_it_runs(rlm, doomed)
        addresses.urls += [one.url for one in pair]
        with ScriptedModelServer([code("FINAL(context)")] * 3) as server:
            rlm = RLM_REPL(model_of(server), repl_factory=factory)
            answers = await asyncio.gather(*(rlm.acompletion(f"{n}") for n in range(3)))
        assert sorted(answers) == ["0", "1", "2"]
    assert all(not sessions_of(one) for one in pair)


async def test_what_is_cancelled_on_its_way_leaves_nothing(pair: list[ManagerProcess]) -> None:
    factory = factory_of(*pair)
    for steps in (1, 20, 60, 120):
        opening = asyncio.create_task(opened_and_closed(factory))
        for _ in range(steps):
            await asyncio.sleep(0)
        opening.cancel()
        with suppress(asyncio.CancelledError):
            await opening
        assert all(not sessions_of(one) for one in pair)


async def opened_and_closed(factory: SidecarREPLFactory) -> None:
    environment = await factory.open_environment()
    await environment.close()


def test_a_pool_works_from_one_event_loop_after_another(pair: list[ManagerProcess]) -> None:
    wait_until_ready(*pair)
    factory = factory_of(*pair)
    session = asyncio.run(factory.create_session())
    asyncio.run(factory.execute_in_session(session, "x = 1"))
    assert asyncio.run(factory.execute_in_session(session, "x")) == "1"
    asyncio.run(factory.destroy_session(session))
