"""Secrets are in no trajectory, whatever way they took."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlm_kernel.agent import RunStarted, SessionOpened, SidecarREPLFactory, TurnStarted
from rlm_kernel.agent.context import pack_context
from rlm_kernel.agent.events import CodeStarted, OutputWritten
from rlm_kernel.agent.trajectory import (
    Recorder,
    Scrubber,
    load,
    notebook,
    save,
    secrets_of_environment,
)
from rlm_kernel.testing import ChatRequest, Failure, Step
from tests.agent.runs import code
from tests.agent.trajectory.again import outputs_of, run_again
from tests.agent.trajectory.recorded import record_script

KEY = "sk-live-0123456789abcdef"


def test_the_environment_tells_its_secrets_by_name_and_in_addresses() -> None:
    found = secrets_of_environment(
        {
            "OPENAI_API_KEY": "sk-openai-key",
            "HF_TOKEN": "hf_token_value",
            "AWS_SECRET_ACCESS_KEY": "aws/secret+key",
            "PGPASSWORD": "postgres-pw",
            "HTTPS_PROXY": "http://user:proxy-password@proxy:3128/",
            "MONKEY": "is-no-secret",
            "KEYBOARD": "is-no-secret-either",
            "PATH": "/usr/bin:/bin",
            "SHORT_TOKEN": "false",
        }
    )
    assert found == {
        "sk-openai-key",
        "hf_token_value",
        "aws/secret+key",
        "postgres-pw",
        "proxy-password",
    }


def test_a_value_is_taken_out_wherever_it_is() -> None:
    scrubber = Scrubber([KEY, "short"])
    assert scrubber.text(f"a {KEY} b short") == "a [secret] b short"
    assert scrubber.data(f"a {KEY}".encode()) == b"a [secret]"
    assert scrubber.value({KEY: [1, None, (KEY, {"a": f"{KEY}!"})]}) == {
        "[secret]": [1, None, ["[secret]", {"a": "[secret]!"}]]
    }


def test_what_looks_like_packed_bytes_and_is_none_stays_as_it_is() -> None:
    for alike in ({"$type": "bytes", "base64": "z"}, {"$type": "bytes", "base64": 5}):
        assert Scrubber([KEY]).value([alike, KEY]) == [alike, "[secret]"]


def test_what_is_nested_too_deeply_is_cut_off_with_the_secrets_in_it() -> None:
    value: object = KEY
    for _ in range(900):
        value = [value]
    cleaned = json.dumps(Scrubber([KEY]).value(value))
    assert cleaned == "[" * 100 + '"[nested too deeply]"' + "]" * 100


def test_the_longer_of_two_values_is_taken_out_first() -> None:
    assert Scrubber([KEY, KEY[:10]]).text(f"{KEY} {KEY[:10]}") == "[secret] [secret]"


@pytest.mark.parametrize("length", range(40))
def test_a_cut_leaves_no_part_of_a_secret(length: int) -> None:
    text = f"1234567890 {KEY} and more, which goes on for longer than the secret is"
    kept = Scrubber([KEY]).beginning(text, length)
    assert len(kept) <= length
    assert "sk-live" not in kept
    assert text.startswith(kept) or "[sec" in kept or kept.startswith("1234567890 [")


def test_the_key_of_a_session_is_not_kept_and_is_taken_out_of_what_is() -> None:
    recorder = Recorder()
    recorder.take(started())
    recorder.take(SessionOpened("0", "a-session", {"key": KEY, "shell_port": 4711}))
    recorder.take(TurnStarted("0", 1, 20))
    recorder.take(CodeStarted("0", 1, 1, f"key = '{KEY}'"))
    for piece in (KEY[:9], KEY[9:], "\n"):
        recorder.take(OutputWritten("0", 1, "stdout", piece))
    trajectory = recorder.trajectory()
    assert trajectory is not None
    text = trajectory.model_dump_json()
    assert KEY not in text
    assert "4711" not in text
    (block,) = trajectory.root.blocks
    assert block.outputs[0]["text"] == "[secret]\n"


def test_a_secret_at_the_end_of_what_there_is_room_for_is_not_begun() -> None:
    for characters in range(600, 900, 7):
        recorder = Recorder([KEY], characters=characters)
        recorder.take(started())
        recorder.take(TurnStarted("0", 1, 20))
        recorder.take(CodeStarted("0", 1, 1, "x"))
        for piece in ("a" * 20, KEY[:12], KEY[12:], "b" * 30):
            recorder.take(OutputWritten("0", 1, "stdout", piece))
        trajectory = recorder.trajectory()
        assert trajectory is not None
        assert "sk-live" not in trajectory.model_dump_json()


@pytest.mark.parametrize(
    "context",
    [f"the key is {KEY}", {"key": [KEY]}, f"the key is {KEY}".encode(), {1: KEY.encode()}],
)
def test_no_file_has_a_secret(
    factory: SidecarREPLFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    context: object,
) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)

    def script(request: ChatRequest) -> Step:
        if "asked" in request.last:
            return Failure(400, f"wrong key {KEY}") if "bad" in request.last else f"said {KEY}"
        asking = (
            f"print(llm_query('asked {KEY}'), context)\n"
            f"from IPython.display import HTML, display\ndisplay(HTML('<b>{KEY}</b>'))\n"
            "print(llm_query_batched(['asked bad']))\n"
            f"FINAL('{KEY}')"
        )
        return f"I know {KEY}\n{code(asking)}"

    trajectory = record_script(factory, script, context, query=f"What about {KEY}?")
    for suffix in (".ipynb", ".json", ".jsonl", ".txt"):
        (path,) = save(trajectory, tmp_path / f"run{suffix}")
        assert KEY not in path.read_text()
    data = load(tmp_path / "run.json").root.context.data()
    assert data is not None
    assert KEY.encode() not in data
    made = notebook(trajectory)
    assert outputs_of(run_again(factory, made)) == outputs_of(made)
    assert "[secret]" in json.dumps(made)


def test_the_keys_that_a_run_uses_are_secrets(factory: SidecarREPLFactory) -> None:
    trajectory = record_script(factory, [code("print('a-test-' + 'key')\nFINAL(1)")])
    (block,) = trajectory.root.blocks
    assert block.outputs[0]["text"] == "[secret]\n"


def started() -> RunStarted:
    context = pack_context("abc")
    return RunStarted("0", "m", "What?", context.type_name, context.note, 20, 1, context)
