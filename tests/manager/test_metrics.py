"""/metrics: a manager is driven, and every count is compared with what was done."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from rlm_kernel import __version__
from rlm_kernel.http.tries import TRIES
from tests.manager.process import ManagerProcess
from tests.manager.raw import RawClient
from tests.manager.scrape import scrape
from tests.manager.test_server import wait_until_dead
from tests.manager.test_sessions import run

EXECUTE = "POST /session/{id}/execute"
STUBBORN = "while True:\n    try:\n        while True: pass\n    except KeyboardInterrupt: pass"

UPGRADE = (
    b"GET %s/channels HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@pytest.fixture(scope="module")
def counted() -> Iterator[ManagerProcess]:
    environment = {
        "RLM_KERNEL_INTERRUPT_GRACE": "0.1",
        "RLM_KERNEL_ZYGOTE_SESSIONS": "40",
        "RLM_KERNEL_METRICS_TOKEN": "scrape-me",
        "RLM_KERNEL_TOKEN": "the-owner",
    }
    with ManagerProcess(environment=environment) as process:
        yield process


@pytest.fixture
def http(counted: ManagerProcess) -> Iterator[httpx.Client]:
    headers = {"Authorization": "Bearer the-owner"}
    with httpx.Client(base_url=counted.url, headers=headers, trust_env=False, timeout=60) as client:
        yield client
        client.delete("/sessions")


class Growth:
    """By how much each count has grown."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        # What an earlier test has deleted may still be on its way out.
        while (before := scrape(http))["sessions_busy"] or before["clients_attached"]:
            threading.Event().wait(0.02)
        self._before = before

    def __call__(self, name: str) -> float:
        return self.now()[name]

    def now(self) -> dict[str, float]:
        return {
            name: value - self._before.get(name, 0.0) for name, value in scrape(self._http).items()
        }

    def wait_for(self, reached: Callable[[dict[str, float]], bool]) -> None:
        while not reached(self.now()):
            threading.Event().wait(0.02)


@pytest.fixture
def grown(http: httpx.Client) -> Growth:
    return Growth(http)


def create(http: httpx.Client) -> str:
    return f"/session/{http.post('/session').json()['session_id']}"


def test_sessions_are_counted_as_they_come_and_go(http: httpx.Client, grown: Growth) -> None:
    first, second, third = (create(http) for _ in range(3))
    fork = http.post(f"{third}/fork")
    assert scrape(http)["sessions"] == 4
    http.delete(first)
    http.delete("/sessions")
    now = grown.now()
    assert scrape(http)["sessions"] == 0
    assert (now["sessions_created_total new"], now["sessions_created_total fork"]) == (3, 1)
    assert now["session_creation_seconds_count"] == now["sessions_ended_total deleted"] == 4
    assert now["http_response_body_bytes_total /session/{id}/fork"] == len(fork.content)
    assert now["http_requests_total POST /session 201"] == 3
    assert second != third


def test_clients_that_attach_are_counted_while_they_stay(
    http: httpx.Client, counted: ManagerProcess, grown: Growth
) -> None:
    kernel = create(http).replace("/session/", "/api/kernels/")
    with RawClient(counted.url) as client:
        client.send(UPGRADE % (kernel.encode(), b"the-owner"))
        answer = client.answer()
        assert answer is not None
        assert answer.status == 101
        grown.wait_for(lambda now: now["clients_attached"] == 1)
        assert grown("sessions_busy") == 0
    grown.wait_for(lambda now: now["clients_attached"] == 0)


def test_cells_are_counted_by_how_they_ended(http: httpx.Client, grown: Growth) -> None:
    session = create(http)
    results = [
        run(http, session, "1"),
        run(http, session, "print('x' * 5000)"),
        run(http, session, "1 / 0"),
        http.post(
            f"{session}/execute", json={"code": "import time; time.sleep(60)", "timeout": 0.1}
        ).json(),
    ]
    now = grown.now()
    assert [now[f"executions_total {how}"] for how in ("ok", "error", "timeout")] == [2, 1, 1]
    assert now["execution_seconds_count"] == 4
    spent = sum(result["duration_ms"] for result in results) / 1000
    assert now["execution_seconds_sum"] == pytest.approx(spent, abs=0.01)
    assert now["session_output_bytes_total"] > 5000
    assert now["http_requests_total POST /session/{id}/execute 200"] == 4
    assert now[f"http_request_seconds_count {EXECUTE}"] == 4


def test_processes_that_end_under_a_session_are_counted_by_cause_and_outcome(
    http: httpx.Client, grown: Growth
) -> None:
    session = create(http)
    ends = [
        http.post(f"{session}/execute", json={"code": STUBBORN, "timeout": 0.1}).json()["state"],
        run(http, session, "import os; os._exit(3)")["state"],
    ]
    http.post(f"{session}/restart")
    http.delete(session)
    now = grown.now()
    assert now[f"session_process_ends_total killed {ends[0]}"] >= 1
    assert now[f"session_process_ends_total exited {ends[1]}"] >= 1
    counted = {name: n for name, n in now.items() if name.startswith("session_process_ends")}
    assert sum(counted.values()) == 2
    assert len(counted) == 6


def test_a_restart_and_a_deletion_in_the_middle_of_a_cell_are_no_such_end(
    http: httpx.Client, grown: Growth
) -> None:
    session = create(http)
    with ThreadPoolExecutor() as pool:
        for method, path in (("POST", f"{session}/restart"), ("DELETE", session)):
            cell = pool.submit(run, http, session, "while True: pass")
            grown.wait_for(lambda now: now["sessions_busy"] == 1)
            http.request(method, path)
            cell.result()
    assert not any(n for name, n in grown.now().items() if name.startswith("session_process_ends"))


def test_requests_in_line_and_their_bytes_are_counted(http: httpx.Client, grown: Growth) -> None:
    session = create(http)
    with ThreadPoolExecutor() as pool:
        cells = [pool.submit(run, http, session, "import time; time.sleep(60)") for _ in range(3)]
        grown.wait_for(lambda now: now["requests_waiting"] == 2)
        assert grown("sessions_busy") == 1
        while not all(cell.done() for cell in cells):
            http.post(f"{session}/interrupt")
    grown.wait_for(lambda now: now["requests_waiting"] == now["sessions_busy"] == 0)
    http.put(f"{session}/files/a", content=b"x" * 10_000)
    http.get(f"{session}/files/a")
    http.get(f"{session}/files/a")
    now = grown.now()
    files = next(
        name for name in now if name.startswith("http_request_body_bytes_total /session/{id}/files")
    )
    route = files.partition(" ")[2]
    assert now[files] == 10_000
    assert now[f"http_response_body_bytes_total {route}"] == 20_000


def test_paths_that_a_client_makes_up_are_one_series(http: httpx.Client, grown: Growth) -> None:
    for number in range(5):
        http.get(f"/nothing/{number}")
        http.get(f"/session/{number}")
    http.request("BREW", "/pot")
    now = grown.now()
    assert now["http_requests_total GET other 404"] == 5
    assert now["http_requests_total GET /session/{id} 404"] == 5
    assert not any("nothing" in name or "BREW" in name for name in now)


def test_zygotes_are_counted_as_they_die_and_succeed_each_other(
    http: httpx.Client, counted: ManagerProcess, grown: Growth
) -> None:
    while grown("zygote_rotations_total") < 1:
        http.delete(create(http))
    while len(zygotes := counted.children()) > 1:  # the old one ends with its last session
        threading.Event().wait(0.02)
    (zygote,) = zygotes
    os.kill(zygote, signal.SIGKILL)
    wait_until_dead(zygotes)
    create(http)
    now = grown.now()
    assert now["zygote_deaths_total"] == 1
    assert now["zygote_boot_seconds_count"] == 2
    assert now["zygote_boot_seconds_sum"] > 0


def test_connections_and_the_loop_and_the_process_are_measured(
    http: httpx.Client, counted: ManagerProcess, grown: Growth
) -> None:
    while scrape(http)["http_connections"] != 1:  # those of the tests before
        threading.Event().wait(0.02)
    with httpx.Client(base_url=counted.url, trust_env=False) as another:
        another.get("/health")
        assert scrape(http)["http_connections"] == 2
    grown.wait_for(lambda now: now["event_loop_lag_seconds_count"] >= 1)
    now = scrape(http)
    assert now["process_open_fds"] > 1
    assert now[f"info {__version__}"] == 1
    assert now["sessions_limit"] == 100


def test_the_scrape_token_opens_the_counts_and_nothing_else(counted: ManagerProcess) -> None:
    headers = {"Authorization": "Bearer scrape-me"}
    with httpx.Client(base_url=counted.url, headers=headers, trust_env=False) as scraper:
        assert scraper.get("/metrics").headers["Content-Type"].startswith("text/plain")
        assert scraper.get("/sessions").status_code == 401
    assert httpx.get(f"{counted.url}/metrics", trust_env=False).status_code == 401


def test_refused_tokens_are_counted_and_too_many_of_them_told_to_wait(
    http: httpx.Client, counted: ManagerProcess, grown: Growth
) -> None:
    with httpx.Client(base_url=counted.url, trust_env=False) as stranger:
        answers = [stranger.get("/sessions") for _ in range(TRIES + 5)]
    assert grown("http_tokens_refused_total") == TRIES + 5
    assert answers[0].status_code == 401
    assert answers[-1].status_code == 429
    assert answers[-1].json()["error"]["code"] == "too_many_tries"
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert http.get("/sessions").status_code == 200
