"""Requests as no client library sends them: each has its answer, and the manager lives on."""

from __future__ import annotations

import contextlib

import pytest

from tests.manager.process import ManagerProcess
from tests.manager.raw import RawClient, ask

HOST = b"Host: localhost\r\n"
GET = b"GET /health HTTP/1.1\r\n" + HOST
CHUNKED = b"POST /nowhere HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
POST = b"POST /nowhere HTTP/1.1\r\n" + HOST

MALFORMED = {
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": GET + HOST + b"\r\n",
    "a length and chunks": CHUNKED.replace(b"Trans", b"Content-Length: 4\r\nTrans") + b"0\r\n\r\n",
    "chunks and a length": CHUNKED[:-2] + b"Content-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "the same length twice": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "a list of lengths": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "a signed length": POST + b"Content-Length: +2\r\n\r\n{}",
    "a negative length": POST + b"Content-Length: -2\r\n\r\n{}",
    "a length in hexadecimal": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "an empty length": POST + b"Content-Length: \r\n\r\n{}",
    "a length beyond all sizes": POST + b"Content-Length: " + b"9" * 26 + b"\r\n\r\n",
    "a length beyond all numbers": POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "compressed chunks": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunks that are none": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "identity and chunks": POST
    + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk without a size": CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n",
    "a negative chunk": CHUNKED + b"-1\r\nabc\r\n0\r\n\r\n",
    "a chunk beyond all sizes": CHUNKED + b"f" * 30 + b"\r\nabc\r\n",
    "a size that does not end": CHUNKED + b"0" * 300,
    "a chunk longer than it says": CHUNKED + b"1\r\nxyz\r\n0\r\n\r\n",
    "a trailer": CHUNKED + b"0\r\nX: y\r\n\r\n",
    "a space before the colon": b"GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n",
    "a folded header": GET + b"X: a\r\n b\r\n\r\n",
    "a NUL in a header": GET + b"X: a\0b\r\n\r\n",
    "a bare CR in a header": GET + b"X: a\rContent-Length: 4\r\n\r\n",
    "a header without a colon": GET + b"X\r\n\r\n",
    "a NUL in the path": b"GET /session/\0 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a space in the path": b"GET /session/a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /health\r\n\r\n",
    "anything": b"\0\x01\x02\r\n\r\n",
    "more parameters than fit": GET.replace(b" HTTP", b"?" + b"a=b&" * 2000 + b" HTTP") + b"\r\n",
}


@pytest.fixture(autouse=True)
def the_manager_lives_on(manager: ManagerProcess) -> object:
    failures = manager.log().count("Traceback")
    yield
    answer = ask(manager.url, GET + b"\r\n")
    assert answer is not None
    assert answer.status == 200
    assert manager.log().count("Traceback") == failures


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED)
def test_what_is_not_http_is_a_400_and_the_end_of_the_connection(
    manager: ManagerProcess, request_: bytes
) -> None:
    with RawClient(manager.url) as client:
        client.send(request_)
        answer = client.answer()
        assert answer is not None
        assert (answer.status, answer.code) == (400, "bad_request")
        assert answer.headers["connection"] == "close"
        assert client.ended()


@pytest.mark.parametrize("path", ["/api/kernels", "/health", "/session", "/nowhere"])
def test_a_smuggled_request_is_never_answered(manager: ManagerProcess, path: str) -> None:
    """One that a proxy in front took for the body of the one before."""
    smuggled = b"DELETE /sessions HTTP/1.1\r\n" + HOST + b"\r\n"
    line = b"POST %s HTTP/1.1\r\n" % path.encode() + HOST
    for framing in (
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % len(smuggled),
        b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
        b"Content-Length: 0, %d\r\n\r\n" % len(smuggled),
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    ):
        with RawClient(manager.url) as client:
            client.send(line + framing + smuggled)
            answer = client.answer()
            assert answer is not None
            assert answer.status == 400, framing
            assert client.ended(), framing


@pytest.mark.parametrize(
    "request_",
    [
        GET + b"X: y\r\n" * 1000 + b"\r\n",
        GET + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        GET + b"X: " + b"y" * 3_000_000 + b"\r\n\r\n",
        b"GET /" + b"y" * 3_000_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    ],
    ids=["many", "long", "very long", "a long path"],
)
def test_headers_that_are_too_large_or_too_many_are_a_431(
    manager: ManagerProcess, request_: bytes
) -> None:
    with RawClient(manager.url) as client:
        with contextlib.suppress(OSError):  # it need not take all of them
            client.send(request_)
        answer = client.answer()
        assert answer is not None
        assert (answer.status, answer.code) == (431, "headers_too_large")
        assert client.ended()


def test_a_path_that_is_long_but_not_too_long_is_not_told_in_full(manager: ManagerProcess) -> None:
    answer = ask(manager.url, b"GET /" + b"y" * 30_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    assert answer is not None
    assert answer.status == 404
    assert len(answer.body) < 1000
    assert "y" * 1000 not in manager.log()


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"http://localhost/health", 200),
        (b"HTTP://127.0.0.1:8080/health?x=y", 200),
        (b"http://localhost", 404),
        (b"http://evil.example/health", 403),
        (b"http://[::/health", 403),
        (b"http://user@evil.example/health", 400),
        (b"ftp://localhost/health", 404),
        (b"localhost:80", 404),
        (b"*", 404),
        (b"//evil.example/health", 404),
        (b"/../../etc/passwd", 404),
        (b"/session/%zz", 404),
        (b"/session/%00", 404),
        (b"/session/%ff", 400),
        (b"/session/%2e%2e%2fhealth", 404),
        (b"/session/\xc3\xb6", 404),
        (b"/session/x/files/%00", 404),
        (b"/session/x/files/%ff", 404),
        (b"/api/kernels/%ff", 404),
        (b"/kernelspecs/%00/x", 404),
        (b"/kernelspecs/nope/../../etc/passwd", 404),
        (b"/health?%ff=%zz&&&=;;", 200),
    ],
)
def test_targets_of_every_form_have_their_answer(
    manager: ManagerProcess, target: bytes, status: int
) -> None:
    """A target with a host in it counts for more than the Host header, which says localhost."""
    answer = ask(manager.url, b"GET %s HTTP/1.1\r\n" % target + HOST + b"\r\n")
    assert answer is not None
    assert answer.status == status, answer.body


@pytest.mark.parametrize("method", [b"TRACE", b"CONNECT", b"get", b"BREW", b"PATCH", b"OPTIONS"])
def test_a_method_that_is_none_is_a_405(manager: ManagerProcess, method: bytes) -> None:
    answer = ask(manager.url, b"%s /health HTTP/1.1\r\n" % method + HOST + b"\r\n")
    assert answer is not None
    assert answer.status == 405


def test_requests_of_a_pipeline_are_answered_in_order(manager: ManagerProcess) -> None:
    with RawClient(manager.url) as client:
        client.send(
            (GET + b"\r\n")
            + (POST + b"Content-Length: 3\r\n\r\nabc")
            + (CHUNKED + b"3\r\nabc\r\n0\r\n\r\n")
            + (GET + b"Connection: close\r\n\r\n")
        )
        answers = [client.answer() for _ in range(4)]
        assert [answer.status for answer in answers if answer] == [200, 404, 404, 200]
        assert client.ended()


def test_http_1_0_is_answered_and_hung_up_on_unless_it_asks_otherwise(
    manager: ManagerProcess,
) -> None:
    old = b"GET /health HTTP/1.0\r\n" + HOST
    with RawClient(manager.url) as client:
        client.send(old + b"Connection: keep-alive\r\n\r\n")
        first = client.answer()
        client.send(old + b"\r\n")
        second = client.answer()
        assert first is not None
        assert second is not None
        assert first.status == second.status == 200
        assert client.ended()


def test_a_body_in_small_pieces_is_one_body(manager: ManagerProcess) -> None:
    with RawClient(manager.url) as client:
        for piece in (CHUNKED[:40], CHUNKED[40:], b"1\r", b"\na\r\n", b"0\r\n", b"\r\n"):
            client.send(piece)
        answer = client.answer()
        assert answer is not None
        assert answer.status == 404


def test_what_upgrades_to_something_else_is_answered_as_it_is(manager: ManagerProcess) -> None:
    answer = ask(manager.url, GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert answer is not None
    assert answer.status == 200


def test_no_answer_lets_a_browser_make_something_of_it(manager: ManagerProcess) -> None:
    for path in (b"/health", b"/nowhere", b"/api/kernels", b"/metrics"):
        answer = ask(manager.url, b"GET %s HTTP/1.1\r\n" % path + HOST + b"\r\n")
        assert answer is not None
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        expected = "frame-ancestors 'self'" if path == b"/api/kernels" else "default-src 'none'"
        assert expected in headers["content-security-policy"]
