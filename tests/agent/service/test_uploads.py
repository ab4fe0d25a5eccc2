"""Contexts as files: in forms, of any size, within limits that are told."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.agent.service.form import Part, fields_of, parts_of
from rlm_kernel.errors import BadRequest
from rlm_kernel.testing import Stall
from tests.agent.runs import code
from tests.agent.service.process import AgentProcess
from tests.agent.service.scripted import Oracle, in_turn
from tests.agent.service.test_runs import active, wait_for

TYPE = "multipart/form-data; boundary=b"


def form(*parts: bytes) -> bytes:
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"


def part(name: str, data: bytes, filename: str | None = None) -> bytes:
    file = f'; filename="{filename}"' if filename else ""
    return f'Content-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + data


def test_a_form_is_a_request() -> None:
    body = form(part("query", b"how many?"), part("max_depth", b"1"), part("context", b"text"))
    assert fields_of(TYPE, body) == {"query": "how many?", "max_depth": 1, "context": "text"}


def test_files_are_the_context_text_or_bytes_one_or_several() -> None:
    one = form(part("context", "ä\r\n--".encode(), "a.txt"))
    assert fields_of(TYPE, one) == {"context": "ä\r\n--"}
    two = form(part("context", b"a", "a.txt"), part("context", b"\xff\x00", "b.bin"))
    assert fields_of(TYPE, two) == {"context": {"a.txt": "a", "b.bin": b"\xff\x00"}}
    assert fields_of(TYPE, form(part("context", b"", "empty"))) == {"context": ""}


def test_parts_are_not_copied() -> None:
    body = bytearray(form(part("context", b"data", "x")))
    [only] = parts_of('multipart/form-data; boundary="b"', body)
    assert isinstance(only, Part)
    assert only.data.obj is body
    assert bytes(only.data) == b"data"


@pytest.mark.parametrize(
    ("content_type", "body", "said"),
    [
        ("multipart/form-data", b"", "no boundary"),
        (TYPE, b"", "no form"),
        (TYPE, b"--b\r\n" + part("query", b"x"), "ends before its end"),
        (TYPE, b"--b\r\nx\r\n--b--", "no headers"),
        (TYPE, form(b"X: y\r\n\r\nz"), "no name"),
        (TYPE, form(part("max_depth", b"x")), "max_depth: this is not JSON"),
        (TYPE, form(part("budget", b"[" * 10**5)), "budget: this is not JSON"),
        (TYPE, form(part("query", b"\xff")), "query: this is not UTF-8"),
        (TYPE, form(part("query", b"x"), part("query", b"x")), "query: given twice"),
        (TYPE, form(part("context", b"x"), part("context", b"x", "f")), "as a file and as text"),
        (TYPE, form(*[part("context", b"x", "f")] * 2), "two files have the same name"),
        (TYPE, form(*[part(f"f{n}", b"1") for n in range(1001)]), "more than 1000 parts"),
    ],
)
def test_what_is_no_form_is_refused(content_type: str, body: bytes, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        fields_of(content_type, body)


def test_curl_sends_files(agent: AgentProcess, oracle: Oracle, tmp_path: Path) -> None:
    oracle.replies["names-and-lengths"] = in_turn(
        code("FINAL({name: len(text) for name, text in context.items()})")
    )
    paths = [tmp_path / name for name in ("one.txt", "two.txt")]
    for path in paths:
        path.write_text(path.name * 10)
    files = [f"-Fcontext=@{path}" for path in paths]
    done = subprocess.run(
        ["curl", "-s", f"{agent.url}/infer", *files, "-Fquery=names-and-lengths"],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    assert """{'one.txt': 70, 'two.txt': 70}""" in done.stdout


def test_a_hundred_megabytes_become_a_context(
    agent: AgentProcess, http: httpx.Client, oracle: Oracle
) -> None:
    oracle.replies["size-of-it"] = in_turn(code("FINAL((len(context), context[-6:]))"))
    with tempfile.TemporaryFile() as file:
        file.write(b"0123456789abcde\n" * 6_553_600 + b"the end")
        size = file.tell()
        assert size > 100 << 20
        file.seek(0)
        answer = http.post("/infer", files={"context": file}, data={"query": "size-of-it"})
    assert answer.json()["answer"] == f"({size}, 'he end')"
    peak = Path(f"/proc/{agent.process.pid}/status").read_text()
    [kilobytes] = map(int, re.findall(r"VmHWM:\s+(\d+)", peak))
    assert kilobytes < 1_500_000, "a context must not be copied again and again"


@pytest.fixture
def narrow(manager: ManagerProcess, oracle: Oracle) -> Iterator[httpx.Client]:
    """A client of a service that takes little, and holds not much more."""
    environment = {
        "RLM_KERNEL_TOKEN": manager.token,
        "RLM_KERNEL_AGENT_MAX_BODY_BYTES": str(4 << 20),
        "RLM_KERNEL_AGENT_HELD_BYTES": str(6 << 20),
    }
    with (
        AgentProcess(manager.url, oracle.base_url, environment=environment) as agent,
        httpx.Client(base_url=agent.url, trust_env=False, timeout=100) as http,
    ):
        yield http


def test_a_body_that_is_too_large_is_a_413(narrow: httpx.Client) -> None:
    for body in ({"json": {"query": "x" * (5 << 20)}}, {"files": {"context": bytes(5 << 20)}}):
        answer = narrow.post("/infer", **body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")

    def endless() -> Iterator[bytes]:
        for _ in range(5):
            yield bytes(1 << 20)

    assert narrow.post("/infer", content=endless()).status_code == 413


def test_what_all_requests_hold_is_limited(narrow: httpx.Client, oracle: Oracle) -> None:
    oracle.replies["holding"] = in_turn(Stall())
    with ThreadPoolExecutor(1) as pool:
        large = {"query": "holding", "context": "x" * (3 << 20)}
        holding = pool.submit(narrow.post, "/infer", json=large)
        wait_for(lambda: bool(active(narrow)))
        assert "held_bytes 3.1" in narrow.get("/metrics").text
        refused = narrow.post("/infer", json={**large, "query": "too much"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_runs")
        assert narrow.post("/infer", json={"query": "a small one"}).status_code == 200
        [run] = active(narrow)
        narrow.delete(f"/runs/{run['run_id']}")
        holding.result()
    wait_for(lambda: "held_bytes 0.0" in narrow.get("/metrics").text)
