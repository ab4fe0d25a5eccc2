"""A guest that writes frames of its own to its owner."""

from __future__ import annotations

import pytest

from rlm_kernel.sandbox import Sandbox

FORGE = (
    "import os\nfrom rlm_kernel.guest.frames import Frame\nfrom rlm_kernel.guest.events import "
    "current_request\nline, me = os.open('/dev/owner', os.O_RDWR), current_request.get()\n"
    "def forge(kind, request_id, content, *buffers):\n"
    "    os.write(line, Frame(kind, request_id, content, buffers).encode())\n"
)


@pytest.mark.parametrize(
    "frame",
    [
        "'nonsense', '', {}",
        "'stream', me, {'name': [], 'text': 'x'}",
        "'stream', me, {'name': 'x' * 1000, 'text': 'x'}",
        "'display_data', me, {'data': []}",
        "'error', me, {'ename': 'E', 'evalue': '', 'traceback': [1]}",
        "'reply', me, {'status': 'error'}",
        "'reply', me, {}",
        "'input_request', me, {'prompt': 1, 'password': False}",
        "'input_request', me, {'prompt': '', 'password': False, 'question': []}",
    ],
)
def test_a_frame_of_a_wrong_form_ends_its_session_alone(box: Sandbox, frame: str) -> None:
    result = box.execute(f"{FORGE}forge({frame})\nwhile True: pass")
    assert (result.status, result.state) == ("error", "lost")
    assert result.error is not None
    assert "form" in result.error.evalue
    assert box.execute("1").result == "1"


def test_fields_that_an_event_does_not_have_are_not_looked_at(box: Sandbox) -> None:
    result = box.execute(FORGE + "forge('clear_output', me, {'wait': True, 'traceback': 1})")
    assert (result.status, result.state) == ("ok", "kept")


def test_what_comes_after_a_wrong_frame_is_not_believed(box: Sandbox) -> None:
    code = (
        "frames = Frame('nonsense', '', {}), Frame('reply', me, {'status': 'ok'})\n"
        "os.write(line, b''.join(frame.encode() for frame in frames))"
    )
    assert box.execute(FORGE + code).state == "lost"


def test_questions_that_nobody_asked_reach_nobody(box: Sandbox) -> None:
    asked: list[str] = []

    def answer(prompt: str, secret: bool) -> str:
        asked.append(prompt)
        return "yes"

    code = "for n in range(100): forge('input_request', 'x', {'prompt': 'p', 'password': False})\n"
    assert box.execute(FORGE + code + "input('real')", on_input=answer).result == "'yes'"
    assert asked == ["real"]


def test_answers_about_files_cannot_be_forged(box: Sandbox) -> None:
    box.execute(FORGE + "for n in range(100): forge('file_reply', f'file-{n}', {'size': 1}, b'x')")
    box.put_file("real", b"content")
    assert box.get_file("real") == b"content"


def test_a_flood_of_frames_leaves_other_sessions_working(box: Sandbox, shared_box: Sandbox) -> None:
    flood = "piece = Frame('stream', me, {'name': 'stdout', 'text': '.'}).encode() * 1000\n"
    result = box.execute(FORGE + flood + "for _ in range(30): os.write(line, piece)")
    assert len(result.stdout) == 30_000
    assert shared_box.execute("1").result == "1"
