"""Forks over HTTP: live copies of a session, each with a kernel of its own."""

from __future__ import annotations

import contextlib
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.manager.process import ManagerProcess
from tests.manager.test_execute import is_busy, wait_for
from tests.manager.test_sessions import run


def fork(http: httpx.Client, session: str) -> str:
    answer = http.post(f"{session}/fork")
    assert answer.status_code == 201, answer.text
    return f"/session/{answer.json()['session_id']}"


def test_a_fork_has_the_variables_and_goes_its_own_way(http: httpx.Client, session: str) -> None:
    run(http, session, "x = [1]; open('file', 'w').write('both')")
    copy = fork(http, session)
    run(http, copy, "x.append(2); open('file', 'w').write('copy')")
    shown = [run(http, one, "x, open('file').read()")["result"] for one in (session, copy)]
    assert shown == ["([1], 'both')", "([1, 2], 'copy')"]


def test_a_fork_is_a_session_like_any_other(http: httpx.Client, session: str) -> None:
    run(http, session, "1")
    body = http.post(f"{session}/fork", json={"owned": True}).json()
    copy = f"/session/{body['session_id']}"
    details = http.get(copy).json()
    assert body["kernel_id"] == body["session_id"] == details["session_id"]
    assert (details["forked_from"], details["owned"]) == (session.rpartition("/")[2], True)
    assert details["executions"] == 0
    assert http.delete(session).status_code == 204
    assert run(http, copy, "1 + 1")["execution_count"] == 2
    assert [one["session_id"] for one in http.get("/sessions").json()["sessions"]] == [
        body["session_id"]
    ]


def test_a_fork_begins_with_the_replay_of_the_original(http: httpx.Client, session: str) -> None:
    def shown(one: str) -> str:
        messages = http.get(f"{one}/replay").json()["messages"]
        streams = [message for message in messages if message["header"]["msg_type"] == "stream"]
        return "".join(message["content"]["text"] for message in streams)

    run(http, session, "print('before')")
    copy = fork(http, session)
    run(http, session, "print('original')")
    run(http, copy, "print('copy')")
    assert shown(session) == "before\noriginal\n"
    assert shown(copy) == "before\ncopy\n"


def test_what_a_task_of_the_original_prints_in_a_fork_belongs_to_no_cell_of_it(
    http: httpx.Client, session: str
) -> None:
    run(
        http,
        session,
        "import asyncio\ngate = asyncio.Event()\nasync def late():\n    await gate.wait()\n"
        "    print('late')\ntask = asyncio.create_task(late())",
    )
    copy = fork(http, session)
    result = run(http, copy, "gate.set(); await task; print('cell')")
    assert result["stdout"] == "cell\n"


def test_what_a_task_says_in_a_fork_is_heard_before_any_cell_of_it(
    http: httpx.Client, session: str
) -> None:
    run(
        http,
        session,
        "import asyncio\nasync def late():\n    await asyncio.sleep(0.5)\n    print('late')\n"
        "task = asyncio.create_task(late())",
    )
    copy = fork(http, session)
    wait_for(lambda: "late" in http.get(f"{copy}/replay").text)


def test_a_fork_of_a_busy_session_waits_for_the_cells_before_it(
    http: httpx.Client, session: str
) -> None:
    run(http, session, "seen = []")
    with ThreadPoolExecutor(4) as pool:
        running = pool.submit(run, http, session, "while True: pass")
        wait_for(lambda: is_busy(http, session))
        queued = pool.submit(run, http, session, "seen.append('queued')")
        wait_for(lambda: http.get(session).json()["waiting"] == 1)
        forking = pool.submit(fork, http, session)
        wait_for(lambda: http.get(session).json()["waiting"] == 2)
        later = pool.submit(run, http, session, "seen.append('later')")
        wait_for(lambda: http.get(session).json()["waiting"] == 3)
        http.post(f"{session}/interrupt")
        assert running.result()["error"]["ename"] == "KeyboardInterrupt"
        assert (queued.result()["status"], later.result()["status"]) == ("ok", "ok")
        assert run(http, forking.result(), "seen")["result"] == "['queued']"


def test_a_fork_that_waits_is_given_up_by_a_restart(http: httpx.Client, session: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(run, http, session, "while True: pass")
        wait_for(lambda: is_busy(http, session))
        forking = pool.submit(http.post, f"{session}/fork")
        wait_for(lambda: http.get(session).json()["waiting"] == 1)
        http.post(f"{session}/restart")
        answer = forking.result()
        running.result()
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "request_aborted")
    assert len(http.get("/sessions").json()["sessions"]) == 1


def test_a_fork_of_a_session_that_is_deleted_first_is_a_404(
    http: httpx.Client, session: str
) -> None:
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(http.post, f"{session}/execute", content='{"code": "while 1: pass"}')
        wait_for(lambda: is_busy(http, session))
        forking = pool.submit(http.post, f"{session}/fork")
        wait_for(lambda: http.get(session).json()["waiting"] == 1)
        http.delete(session)
        assert forking.result().status_code == 404
        running.result()
    assert http.post(f"{session}/fork").status_code == 404


def test_a_loss_that_nobody_was_told_of_is_told_by_the_fork_too(
    http: httpx.Client, session: str, manager: ManagerProcess
) -> None:
    run(http, session, "x = 1")
    while processes := manager.descendants() - manager.children():
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    copy = fork(http, session)
    assert [run(http, one, "1")["state"] for one in (copy, session)] == ["lost", "lost"]
    assert run(http, copy, "1")["state"] == "kept"


def test_a_fork_needs_room_for_one_more() -> None:
    with (
        ManagerProcess("--max-sessions", "1") as manager,
        httpx.Client(base_url=manager.url, trust_env=False, timeout=60) as http,
    ):
        session = f"/session/{http.post('/session').json()['session_id']}"
        answer = http.post(f"{session}/fork")
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_sessions")
        assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("body", ['{"owned": 1}', '{"unknown": true}', "owned"])
def test_a_fork_is_not_made_by_a_request_that_cannot_be_read(
    http: httpx.Client, session: str, body: str
) -> None:
    answer = http.post(f"{session}/fork", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
    assert len(http.get("/sessions").json()["sessions"]) == 1


def test_a_fork_within_a_cell_is_made_only_of_one_that_asks_something(
    http: httpx.Client, session: str
) -> None:
    run(http, session, "seen = []")
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(run, http, session, "seen.append(1)\nwhile True: pass")
        wait_for(lambda: is_busy(http, session))
        forking = pool.submit(http.post, f"{session}/fork", json={"mid_cell": True})
        wait_for(lambda: http.get(session).json()["waiting"] == 1)
        http.post(f"{session}/interrupt")
        assert running.result()["error"]["ename"] == "KeyboardInterrupt"
        copy = f"/session/{forking.result().json()['session_id']}"
    assert run(http, copy, "seen")["result"] == "[1]"


@pytest.mark.parametrize("body", [{"mid_cell": "yes"}, {"midcell": True}], ids=repr)
def test_a_fork_that_is_asked_for_wrongly_is_refused(
    http: httpx.Client, session: str, body: dict[str, object]
) -> None:
    answer = http.post(f"{session}/fork", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
