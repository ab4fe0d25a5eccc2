"""Managers behind a name: asked for again, and not given up when the name service is."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import closing
from functools import partial

import pytest

from rlm_kernel.agent import SidecarREPLFactory
from rlm_kernel.agent.managers import managers_at, name_service
from rlm_kernel.agent.managers.name_service import NamedManagers, addresses_of, services_of
from rlm_kernel.agent.managers.pool import ManagerPool
from rlm_kernel.errors import ConfigurationError, ManagerUnavailable
from tests.agent.managers.conftest import TOKEN, sessions_of
from tests.agent.managers.name_server import NameServer
from tests.manager.process import ManagerProcess

NAME = "_http._tcp.managers.rlm.svc.cluster.local"


class Answers:
    """What a name stands for, one answer after the other; the last one holds on."""

    def __init__(self, *answers: Sequence[str] | LookupError) -> None:
        self.answers = list(answers)

    async def __call__(self) -> Sequence[str]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, LookupError):
            raise answer
        return answer


def place_of(manager: ManagerProcess) -> str:
    return manager.url.removeprefix("http://")


async def test_each_lookup_may_bring_other_managers(pair: list[ManagerProcess]) -> None:
    first, second = pair
    answers = Answers([place_of(first)], [place_of(second)], [place_of(second)])
    named = NamedManagers("http", answers, refresh_seconds=0)
    factory = SidecarREPLFactory("http://unused", managers=ManagerPool(named, TOKEN))
    old, new = [await factory.create_session() for _ in range(2)]
    assert [sessions_of(one) for one in pair] == [{old}, {new}]
    assert await factory.execute_in_session(old, "'still there'") == "'still there'"


async def test_an_answer_holds_for_a_while() -> None:
    named = NamedManagers("http", Answers(["a:1"], ["b:2"]), refresh_seconds=3600)
    assert await named.now() == ("http://a:1",)
    assert await named.now() == ("http://a:1",)


async def test_a_name_service_that_fails_later_takes_no_manager_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    named = NamedManagers("http", Answers(["b:1", "a:1"], LookupError("gone")), refresh_seconds=0)
    assert await named.now() == ("http://a:1", "http://b:1")
    assert await named.now() == ("http://a:1", "http://b:1")
    assert "managers are taken to be where they were: gone" in caplog.text


async def test_a_name_that_was_never_known_is_an_error() -> None:
    named = NamedManagers("http", Answers(LookupError("no such name")))
    with pytest.raises(ManagerUnavailable, match="cannot be looked up: no such name"):
        await named.now()


async def test_address_records_are_those_of_the_system() -> None:
    assert set(await addresses_of("localhost", 80)) <= {"127.0.0.1:80", "[::1]:80"}
    for name in ("no-such-name.invalid", "a" * 70):
        with pytest.raises(LookupError, match=name):
            await addresses_of(name, 80)


async def test_service_records_say_hosts_and_ports(pair: list[ManagerProcess]) -> None:
    places = [place_of(one).split(":") for one in pair]
    records = [f"0 10 {port} {host}." for host, port in places]
    with NameServer({NAME: records}) as server:
        resolve = partial(services_of, NAME, [server.address])
        assert set(await resolve()) == {place_of(one) for one in pair}
        named = NamedManagers("http", resolve, refresh_seconds=0)
        factory = SidecarREPLFactory("http://unused", managers=ManagerPool(named, TOKEN))
        made = [await factory.create_session() for _ in range(2)]
        assert [len(sessions_of(one)) for one in pair] == [1, 1]
        server.records[NAME] = records[:1]
        await factory.create_session()
        assert [len(sessions_of(one)) for one in pair] == [2, 1]
        for session in made:
            assert await factory.execute_in_session(session, "6 * 7") == "42"
        assert server.queries == 4


async def test_a_name_without_service_records_is_a_lookup_error() -> None:
    with NameServer({}) as server, pytest.raises(LookupError, match=NAME):
        await services_of(NAME, [server.address])


async def test_a_name_server_that_is_mute_is_a_lookup_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(name_service, "RESOLVE_SECONDS", 0.3)
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as mute:
        mute.bind(("127.0.0.1", 0))
        with pytest.raises(LookupError, match=NAME):
            await services_of(NAME, [mute.getsockname()])


async def test_a_setting_names_a_name(pair: list[ManagerProcess]) -> None:
    port = pair[0].url.rpartition(":")[2]
    factory = SidecarREPLFactory(f"dns+http://localhost:{port}", TOKEN)
    session = await factory.create_session()
    assert sessions_of(pair[0]) == {session}


@pytest.mark.parametrize(
    "said",
    [
        "",
        "managers:8080",
        "http://a,dns+http://b",
        "dns+http://a,http://b",
        "tcp+http://a",
        "ftp://a",
    ],
)
def test_what_says_nothing_is_refused(said: str) -> None:
    with pytest.raises(ConfigurationError, match="says not where managers are"):
        managers_at(said)
