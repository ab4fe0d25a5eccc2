"""Log lines: their shape, their fields, and what never gets into them."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from rlm_kernel import log_fields, logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_its_fields() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    logging.getLogger("somewhere").warning("%s happened", "it", extra={"sessions": 3})
    (line,) = lines(stream)
    assert line["event"] == "it happened"
    assert (line["level"], line["logger"], line["sessions"]) == ("warning", "somewhere", 3)
    assert line["timestamp"].endswith("Z")


def test_a_terminal_gets_text() -> None:
    stream = Terminal()
    logs.configure(stream=stream)
    logging.getLogger().warning("hello")
    assert "hello" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_an_exception_stays_inside_its_line() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger().exception("failed")
    (line,) = lines(stream)
    assert "ValueError: why" in line["exception"]


def test_bound_fields_are_in_every_line_inside_and_none_outside() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    log_fields.context(session_id="s1").run(logging.getLogger().warning, "inside")
    logging.getLogger().warning("outside")
    inside, outside = lines(stream)
    assert inside["session_id"] == "s1"
    assert "session_id" not in outside


def test_lines_below_the_level_are_dropped() -> None:
    stream = io.StringIO()
    logs.configure("ERROR", stream=stream)
    logging.getLogger().warning("quiet")
    assert stream.getvalue() == ""


def logged(text: str, secrets: list[str]) -> str:
    """Everything that is logged when `text` turns up in all the places it can."""
    stream = io.StringIO()
    logs.configure(stream=stream, secrets=secrets)
    logging.getLogger().warning(text)
    logging.getLogger().warning("fields", extra={"deep": {"list": [text]}, "token": "s3cr3t-value"})
    try:
        raise ValueError(text)
    except ValueError:
        logging.getLogger().exception("failed")
    assert len(lines(stream)) == 3
    return stream.getvalue()


def test_a_known_secret_never_passes() -> None:
    assert "s3cr3t-value" not in logged("the secret is s3cr3t-value", ["s3cr3t-value"])


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer s3cr3t-value",
        "authorization: token s3cr3t-value",
        "GET /lab?token=s3cr3t-value&x=1",
        "{'Authorization': 'Bearer s3cr3t-value'}",
    ],
)
def test_what_looks_like_a_secret_does_not_pass(text: str) -> None:
    assert "s3cr3t-value" not in logged(text, [])


def test_prose_about_tokens_is_left_alone() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    logging.getLogger().warning("the token is missing and bearers wait")
    assert lines(stream)[0]["event"] == "the token is missing and bearers wait"
