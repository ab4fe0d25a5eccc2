"""Parts of files over HTTP, and their heads."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

import httpx
import pytest

from rlm_kernel.errors import BadRequest, RangeNotSatisfiable
from rlm_kernel.manager.handlers.byte_range import parse_range
from tests.manager.test_execute import wait_for
from tests.manager.test_sessions import run

DATA = os.urandom(3_000_000)


@pytest.fixture
def file(http: httpx.Client, session: str) -> str:
    http.put(f"{session}/files/data", content=DATA)
    return f"{session}/files/data"


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=1-2000000", 1, 2_000_000),
        ("bytes=2999999-", 2_999_999, 2_999_999),
        ("bytes=5-99999999999", 5, 2_999_999),
        ("bytes=-7", 2_999_993, 2_999_999),
        ("bytes=-99999999999", 0, 2_999_999),
        ("BYTES = 0-4", 0, 4),
    ],
)
def test_a_part_of_a_file_is_a_206(
    http: httpx.Client, file: str, wanted: str, first: int, last: int
) -> None:
    answer = http.get(file, headers={"Range": wanted})
    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(DATA)}"
    assert answer.headers["Content-Length"] == str(last - first + 1)
    assert answer.content == DATA[first : last + 1]


@pytest.mark.parametrize("wanted", ["bytes=3000000-", "bytes=-0", "bytes=99999999999-"])
def test_a_part_that_is_not_there_is_a_416(http: httpx.Client, file: str, wanted: str) -> None:
    answer = http.get(file, headers={"Range": wanted})
    assert (answer.status_code, answer.json()["error"]["code"]) == (416, "range_not_satisfiable")
    assert answer.headers["Content-Range"] == f"bytes */{len(DATA)}"


@pytest.mark.parametrize("wanted", ["bytes=", "bytes=-", "bytes=a-b", "bytes=2-1", "bytes=1"])
def test_what_is_no_range_is_a_400(http: httpx.Client, file: str, wanted: str) -> None:
    answer = http.get(file, headers={"Range": wanted})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize("wanted", ["bytes=0-1,3-4", "lines=1-2"])
def test_ranges_that_need_not_be_known_give_the_whole(
    http: httpx.Client, file: str, wanted: str
) -> None:
    answer = http.get(file, headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (200, DATA)


def test_a_range_of_an_empty_file_is_a_416(http: httpx.Client, session: str) -> None:
    http.put(f"{session}/files/empty", content=b"")
    answer = http.get(f"{session}/files/empty", headers={"Range": "bytes=0-"})
    assert answer.status_code == 416


def test_the_head_of_a_file_says_what_it_is(http: httpx.Client, file: str) -> None:
    whole, head = http.get(file), http.head(file, headers={"Range": "bytes=0-0"})
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Length", "ETag", "Last-Modified", "Accept-Ranges", "Content-Type"):
        assert head.headers[name] == whole.headers[name]
    assert http.head(f"{file}-not").status_code == 404


def test_a_download_goes_on_only_in_the_file_that_it_began_with(
    http: httpx.Client, session: str, file: str
) -> None:
    tag = http.head(file).headers["ETag"]
    headers = {"Range": "bytes=10-19", "If-Range": tag}
    assert http.get(file, headers=headers).content == DATA[10:20]
    run(http, session, "f = open('data', 'r+b'); _ = f.write(b'x'); f.close()")
    changed = http.get(file, headers=headers)
    assert (changed.status_code, changed.content) == (200, b"x" + DATA[1:])
    assert changed.headers["ETag"] != tag


def test_a_file_that_changes_while_it_is_sent_is_cut_short(
    http: httpx.Client, session: str
) -> None:
    http.put(f"{session}/files/large", content=bytes(60_000_000))
    address = urlsplit(str(http.base_url))
    with socket.create_connection((address.hostname, address.port)) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        slow.sendall(f"GET {session}/files/large HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        received = len(slow.recv(1))
        run(http, session, "open('large', 'w').close()")
        while data := slow.recv(1 << 20):
            received += len(data)
    assert received < 60_000_000


def test_a_client_that_hangs_up_in_the_middle_costs_nothing(
    http: httpx.Client, session: str
) -> None:
    http.put(f"{session}/files/large", content=bytes(60_000_000))
    with http.stream("GET", f"{session}/files/large") as answer:
        next(answer.iter_bytes())
    wait_for(lambda: http.get(session).json()["status"] == "idle")
    assert run(http, session, "1 + 1")["result"] == "2"


def test_a_range_ends_with_the_file() -> None:
    wanted = parse_range("bytes=2-9")
    assert wanted is not None
    assert [wanted.within(size) for size in (3, 100)] == [range(2, 3), range(2, 10)]
    with pytest.raises(RangeNotSatisfiable) as raised:
        wanted.within(2)
    assert raised.value.size == 2


@pytest.mark.parametrize(
    "header", ["bytes=" + "9" * 5000 + "-", "bytes=\u0661-\u0662", "bytes=--1"]
)
def test_numbers_that_are_none_are_refused(header: str) -> None:
    with pytest.raises(BadRequest):
        parse_range(header)
