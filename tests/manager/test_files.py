"""Files into a session and out of it."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from typing import Any

import httpx
import pytest

from tests.manager.process import ManagerProcess
from tests.manager.test_sessions import run

MEGABYTE = 1024 * 1024


@pytest.mark.parametrize("size", [0, 1, MEGABYTE, 5 * MEGABYTE + 17])
def test_bytes_come_out_as_they_went_in(http: httpx.Client, session: str, size: int) -> None:
    data = os.urandom(size)
    answer = http.put(f"{session}/files/data.bin", content=data)
    assert (answer.status_code, answer.content) == (204, b"")
    back = http.get(f"{session}/files/data.bin")
    assert back.status_code == 200
    assert back.headers["Content-Type"] == "application/octet-stream"
    assert hashlib.sha256(back.content).digest() == hashlib.sha256(data).digest()


def test_code_reads_what_was_sent_and_its_files_can_be_had(
    http: httpx.Client, session: str
) -> None:
    http.put(f"{session}/files/in.txt", content="grüße".encode())
    assert run(http, session, "open('in.txt', encoding='utf-8').read()")["result"] == "'grüße'"
    run(http, session, "open('out.txt', 'w').write('done')")
    assert http.get(f"{session}/files/out.txt").content == b"done"


def test_a_second_file_replaces_the_first(http: httpx.Client, session: str) -> None:
    http.put(f"{session}/files/a", content=b"long" * MEGABYTE)
    http.put(f"{session}/files/a", content=b"short")
    assert http.get(f"{session}/files/a").content == b"short"


def test_folders_are_made_and_names_may_hold_anything(http: httpx.Client, session: str) -> None:
    http.put(f"{session}/files/deep/er/d%C3%A4%20%25%3F.txt", content=b"x")
    assert run(http, session, "open('deep/er/dä %?.txt').read()")["result"] == "'x'"


def test_a_second_slash_begins_an_absolute_path(http: httpx.Client, session: str) -> None:
    http.put(f"{session}/files//tmp/x", content=b"x")
    assert run(http, session, "open('/tmp/x').read()")["result"] == "'x'"


def test_a_body_may_come_in_chunks_of_unknown_length(http: httpx.Client, session: str) -> None:
    pieces = (bytes([n]) * 100_000 for n in range(30))
    assert http.put(f"{session}/files/a", content=pieces).status_code == 204
    body = http.get(f"{session}/files/a").content
    assert body == b"".join(bytes([n]) * 100_000 for n in range(30))


@pytest.mark.parametrize("path", ["nothing-here", "no/such/folder"])
def test_a_file_that_is_not_there_is_a_404(http: httpx.Client, session: str, path: str) -> None:
    answer = http.get(f"{session}/files/{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "file_not_found"


def test_what_cannot_be_read_is_told(http: httpx.Client, session: str) -> None:
    answer = http.get(f"{session}/files//tmp")
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "file_error"


@pytest.mark.parametrize("options", [{"content": b"x"}, {"content": iter([b"x" * MEGABYTE] * 3)}])
def test_what_cannot_be_written_is_told(
    http: httpx.Client, session: str, options: dict[str, Any]
) -> None:
    run(http, session, "import os; os.mkdir('folder')")
    answer = http.put(f"{session}/files/folder", **options)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "file_error"


def test_reading_with_a_body_writes_nothing(http: httpx.Client, session: str) -> None:
    http.put(f"{session}/files/a", content=b"kept")
    answer = http.request("GET", f"{session}/files/a", content=b"x" * 2 * MEGABYTE)
    assert answer.content == b"kept"
    assert http.get(f"{session}/files/a").content == b"kept"


def test_an_unknown_session_is_told_before_the_file_is_sent(http: httpx.Client) -> None:
    answer = http.put("/session/unknown/files/a", content=b"x" * MEGABYTE * 20)
    assert answer.status_code == 404


def test_a_file_whose_body_breaks_off_never_comes_to_be(
    http: httpx.Client, session: str, manager: ManagerProcess
) -> None:
    http.put(f"{session}/files/old", content=b"whole")
    run(http, session, "import os")

    def room() -> str:
        return str(run(http, session, "os.statvfs('/').f_bfree")["result"])

    before = room()
    host, port = manager.url.removeprefix("http://").split(":")
    for name in ("old", "deep/new"):
        head = f"PUT {session}/files/{name} HTTP/1.1\r\nHost: {host}\r\n"
        with socket.create_connection((host, int(port))) as sender:
            sender.sendall(f"{head}Content-Length: {20 * MEGABYTE}\r\n\r\n".encode())
            sender.sendall(bytes(15 * MEGABYTE))
            while room() == before:
                threading.Event().wait(0.05)
        while room() != before:
            threading.Event().wait(0.05)
    assert run(http, session, "os.listdir()")["result"] == "['.ipython', 'old']"
    assert http.get(f"{session}/files/old").content == b"whole"


def test_a_file_that_is_too_large_leaves_the_old_one(http: httpx.Client, session: str) -> None:
    http.put(f"{session}/files/a", content=b"kept")
    pieces = (bytes(MEGABYTE) for _ in range(257))
    assert http.put(f"{session}/files/a", content=pieces).status_code == 413
    assert http.get(f"{session}/files/a").content == b"kept"
