"""What is passed on of the events of a cell."""

from __future__ import annotations

from rlm_kernel.sandbox import Event, Limits
from rlm_kernel.sandbox.output_meter import OTHER_BYTES, OutputMeter


def meter() -> OutputMeter:
    return OutputMeter(Limits(output_bytes=10, display_bytes=10))


def text(value: str) -> Event:
    return Event("stream", "1", {"name": "stdout", "text": value})


def passed(meter: OutputMeter, event: Event, wire_bytes: int = 0) -> list[str]:
    return [admitted.content.get("text", "") for admitted in meter.admit(event, wire_bytes)]


def test_text_to_the_last_byte_is_passed_on_and_then_cut_between_characters() -> None:
    limited = meter()
    assert passed(limited, text("123456789")) == ["123456789"]
    assert len(passed(limited, text("é"))) == 1
    assert limited.exceeded
    assert passed(limited, text("more")) == []


def test_displays_to_the_last_byte_are_passed_on() -> None:
    limited, display = meter(), Event("display_data", "1", {"data": {}})
    assert list(limited.admit(display, 10)) == [display]
    [notice] = limited.admit(display, 1)
    assert (notice.kind, notice.content["name"]) == ("stream", "stderr")
    assert list(limited.admit(display, 0)) == []


def test_a_new_cell_has_new_room() -> None:
    limited = meter()
    passed(limited, text("x" * 11))
    limited.begin()
    assert passed(limited, text("x" * 10)) == ["x" * 10]


def test_answered_questions_do_not_add_up() -> None:
    limited, question = meter(), Event("input_request", "1", {})
    for _ in range(3):
        assert list(limited.admit(question, OTHER_BYTES)) == [question]
        assert list(limited.admit(question, 1)) == []
        limited.answered()


def test_nothing_but_the_text_of_a_stream_is_passed_on() -> None:
    fields = {"name": "stdout", "text": "a", "more": "x" * 1000}
    forged = Event("stream", "1", fields, (bytes(1000),))
    assert list(meter().admit(forged, 2000)) == [text("a")]
