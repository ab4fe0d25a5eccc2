"""What running a cell gives."""

from __future__ import annotations

import pytest

from rlm_kernel.errors import SandboxError
from rlm_kernel.sandbox import Event, Sandbox


def test_the_last_expression_is_the_result(shared_box: Sandbox) -> None:
    result = shared_box.execute("x = 6 * 7\nx")
    assert (result.status, result.result, result.state) == ("ok", "42", "kept")


def test_variables_stay_between_cells(shared_box: Sandbox) -> None:
    shared_box.execute("import decimal\nkept = decimal.Decimal('1.10')")
    assert shared_box.execute("str(kept)").result == "'1.10'"


def test_execution_counts_go_up_by_one(box: Sandbox) -> None:
    assert [box.execute("1").execution_count for _ in range(3)] == [1, 2, 3]


def test_streams_come_in_the_order_in_which_they_were_written(shared_box: Sandbox) -> None:
    events: list[Event] = []
    code = "import sys\nfor i in range(3):\n    print(i)\n    print(i, file=sys.stderr)"
    result = shared_box.execute(code, on_event=events.append)
    streams = [(e.content["name"], e.content["text"]) for e in events if e.kind == "stream"]
    assert streams == [(name, f"{i}\n") for i in range(3) for name in ("stdout", "stderr")]
    assert (result.stdout, result.stderr) == ("0\n1\n2\n", "0\n1\n2\n")


def test_text_comes_while_the_code_still_runs(shared_box: Sandbox) -> None:
    """The text has no line end, and the code after it never writes, sleeps or ends by itself."""

    def interrupt(event: Event) -> None:
        if event.kind == "stream":
            shared_box.interrupt()

    result = shared_box.execute("print('now', end='')\nwhile True: pass", on_event=interrupt)
    assert result.stdout == "now"
    assert result.error is not None
    assert result.error.ename == "KeyboardInterrupt"


def test_much_output_arrives_whole(shared_box: Sandbox) -> None:
    result = shared_box.execute("for i in range(50_000): print(i)\nprint('é' * 1_000_000)")
    assert result.stdout == "".join(f"{i}\n" for i in range(50_000)) + "é" * 1_000_000 + "\n"


def test_an_error_has_its_class_its_text_and_its_traceback(shared_box: Sandbox) -> None:
    result = shared_box.execute("print('before')\n1 / 0")
    assert (result.status, result.stdout, result.state) == ("error", "before\n", "kept")
    assert result.error is not None
    assert (result.error.ename, result.error.evalue) == ("ZeroDivisionError", "division by zero")
    assert any("ZeroDivisionError" in line for line in result.error.traceback)


@pytest.mark.parametrize(
    ("code", "ename"),
    [
        ("def broken(:", "SyntaxError"),
        ("broken(1,\n", "SyntaxError"),
        ("import sys; sys.exit(3)", "SystemExit"),
        ("%no_such_magic", None),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import threading; threading.Thread(target=print).start()", "RuntimeError"),
        ("import _pyodide_core", "ModuleNotFoundError"),
    ],
)
def test_a_failing_cell_leaves_the_session_as_it_was(
    shared_box: Sandbox, code: str, ename: str | None
) -> None:
    shared_box.execute("before = 1")
    error = shared_box.execute(code).error
    assert ename is None or (error is not None and error.ename == ename)
    assert shared_box.execute("before").result == "1"


def test_display_gives_mime_bundles(shared_box: Sandbox) -> None:
    code = "from IPython.display import HTML, display\ndisplay(HTML('<b>hi</b>'))"
    assert shared_box.execute(code).display[0]["text/html"] == "<b>hi</b>"


def test_binary_display_data_is_base64(shared_box: Sandbox) -> None:
    code = "display({'image/png': b'\\x89PNG'}, raw=True)"
    assert shared_box.execute(code).display == [{"image/png": "iVBORw=="}]


def test_top_level_await_runs_on_a_loop_that_stays(shared_box: Sandbox) -> None:
    shared_box.execute(
        "import asyncio\n"
        "async def later():\n    await asyncio.sleep(0.01)\n    return 'done'\n"
        "task = asyncio.create_task(later())"
    )
    assert shared_box.execute("await task").result == "'done'"
    code = "await asyncio.gather(*(asyncio.sleep(0, i) for i in range(3)))"
    assert shared_box.execute(code).result == "[0, 1, 2]"


@pytest.mark.parametrize(
    ("cell", "answer"), [("1", False), ("await x", True), ("[i async for i in x]", True)]
)
def test_code_can_ask_whether_a_cell_is_asynchronous(
    shared_box: Sandbox, cell: str, answer: bool
) -> None:
    question = f"get_ipython().should_run_async({cell!r}, transformed_cell={cell!r})"
    assert shared_box.execute(question).result == repr(answer)


def test_whether_a_cell_is_asynchronous_takes_the_cell_as_python(shared_box: Sandbox) -> None:
    result = shared_box.execute("get_ipython().should_run_async('await x')")
    assert result.error is not None
    assert result.error.ename == "TypeError"


def test_input_is_answered_by_the_caller(shared_box: Sandbox) -> None:
    asked: list[tuple[str, bool]] = []

    def answer(prompt: str, secret: bool) -> str:
        asked.append((prompt, secret))
        return "Ada"

    code = "import getpass\ninput('name? ') + getpass.getpass('pass? ')"
    assert shared_box.execute(code, on_input=answer).result == "'AdaAda'"
    assert asked == [("name? ", False), ("pass? ", True)]


def test_input_without_anyone_to_answer_is_an_error(shared_box: Sandbox) -> None:
    error = shared_box.execute("input('name? ')").error
    assert error is not None
    assert error.ename == "StdinNotImplementedError"


def test_the_end_of_input_is_an_eof_error(shared_box: Sandbox) -> None:
    error = shared_box.execute("input()", on_input=lambda prompt, secret: "\x04").error
    assert error is not None
    assert error.ename == "EOFError"


@pytest.mark.parametrize(
    "code",
    [
        "import sqlite3\nsqlite3.connect(':memory:').execute('select 6*7').fetchone()[0]",
        "import json\njson.loads(json.dumps([42]))[0]",
        "import re\nint(re.search('[0-9]+', 'x42y')[0])",
        "import hashlib\n42 if hashlib.sha256(b'').hexdigest().startswith('e3b0c442') else 0",
        "import zoneinfo, datetime\n"
        "40 + datetime.datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin'))"
        ".utcoffset().seconds // 3600",
        "import zlib, lzma, bz2\nlen(lzma.decompress(lzma.compress(zlib.compress(b'')))) + 34",
    ],
)
def test_the_standard_library_works(shared_box: Sandbox, code: str) -> None:
    assert shared_box.execute(code).result == "42"


def test_nothing_of_the_host_is_seen(shared_box: Sandbox) -> None:
    code = "import os, platform\nsorted(os.environ), os.listdir('/'), platform.node(), os.getpid()"
    shown = shared_box.execute(code).result
    assert shown is not None
    assert "PYODIDE" not in shown
    assert shared_box.execute("open('/etc/passwd')").error is not None
    assert shared_box.execute("os.path.exists('/proc')").result == "False"


@pytest.mark.parametrize("value", ["object()", "b'bytes'", "{1, 2}", "'\\ud800'"])
def test_a_payload_that_is_no_json_does_not_lose_the_reply(shared_box: Sandbox, value: str) -> None:
    code = f"get_ipython().payload_manager.write_payload({{'source': 's', 'value': {value}}})"
    assert shared_box.execute(code).status == "ok"
    assert shared_box.execute("get_ipython().set_next_input(b'x')").status == "ok"


def test_a_reply_that_cannot_be_made_is_answered_by_why(shared_box: Sandbox) -> None:
    code = "round = {'source': 's'}\nround['self'] = round\n"
    error = shared_box.execute(code + "get_ipython().payload_manager.write_payload(round)").error
    assert error is not None
    assert "could not be sent" in error.evalue
    assert shared_box.execute("1").result == "1"


def test_a_huge_error_is_cut_and_says_so(shared_box: Sandbox) -> None:
    error = shared_box.execute("raise ValueError('x' * 2_000_000)").error
    assert error is not None
    assert len(error.evalue) + sum(map(len, error.traceback)) < 1_000_000
    assert error.evalue.endswith("more characters]")


def test_half_a_surrogate_pair_leaves_as_a_question_mark(shared_box: Sandbox) -> None:
    code = (
        "print('a\\ud800é')\n"
        "display({'text/plain': 'b\\udcff'}, raw=True)\n"
        "class Odd:\n    def __repr__(self): return 'c\\ud800'\nOdd()"
    )
    result = shared_box.execute(code)
    assert (result.stdout, result.result) == ("a?é\n", "c?")
    assert result.display == [{"text/plain": "b?"}]
    error = shared_box.execute("raise ValueError('\\ud800')").error
    assert error is not None
    assert error.evalue == "?"


def test_questions_are_numbered(shared_box: Sandbox) -> None:
    events: list[Event] = []
    shared_box.execute(
        "input(); input()", on_event=events.append, on_input=lambda prompt, secret: ""
    )
    first, second = (e.content["question"] for e in events if e.kind == "input_request")
    assert second == first + 1


def test_an_answer_to_an_older_question_of_the_cell_is_not_taken(shared_box: Sandbox) -> None:
    code = (
        "from rlm_kernel.guest import host\nfrom rlm_kernel.guest.frames import Frame\n"
        "from rlm_kernel.guest.events import current_request\n"
        "link, events = host.asker._link, host.asker._events\nemit = events.emit\n"
        "def late(kind, content):\n    emit(kind, content)\n"
        "    old = {'value': 'old', 'question': content['question'] - 1}\n"
        "    link._arrived.append(Frame('input_reply', current_request.get(), old))\n"
        "events.emit = late\ntry:\n    answer = input()\nfinally:\n    events.emit = emit\nanswer"
    )
    assert shared_box.execute(code, on_input=lambda prompt, secret: "new").result == "'new'"


def test_text_that_could_not_be_sent_is_sent_with_the_next(shared_box: Sandbox) -> None:
    code = (
        "from rlm_kernel.guest import host\nimport signal\n"
        "link = host.asker._link\nsend = link.send\n"
        "def broken(*arguments): raise RecursionError\n"
        "print('first')\nlink.send = broken\n"
        "signal.raise_signal(signal.SIGPROF)\nlink.send = send\nprint('second')"
    )
    assert shared_box.execute(code).stdout == "first\nsecond\n"


def test_the_reason_of_a_failure_is_told_also_where_no_traceback_is(shared_box: Sandbox) -> None:
    error = shared_box.execute("%no_such_magic").error
    assert error is not None
    assert error.ename == "UsageError"


def test_an_answer_may_be_as_large_as_a_frame(shared_box: Sandbox) -> None:
    answer = "é" * (10 << 20)
    result = shared_box.execute("len(input())", on_input=lambda prompt, secret: answer)
    assert result.result == str(10 << 20)


def test_an_answer_larger_than_a_frame_interrupts_the_code(shared_box: Sandbox) -> None:
    result = shared_box.execute("input()", on_input=lambda prompt, secret: "x" * (65 << 20))
    assert result.error is not None
    assert (result.error.ename, result.state) == ("KeyboardInterrupt", "kept")


def test_an_answer_larger_than_a_frame_fails_a_host_call(shared_box: Sandbox) -> None:
    code = "from rlm_kernel.guest import host\nhost.call('f', {})"
    result = shared_box.execute(code, on_input=lambda prompt, secret: "x" * (65 << 20))
    assert result.error is not None
    assert "over the limit" in result.error.evalue


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
def test_what_on_input_raises_ends_the_code_and_is_raised(
    shared_box: Sandbox, error: type[BaseException]
) -> None:
    def fail(prompt: str, secret: bool) -> str:
        raise error

    with pytest.raises(error):
        shared_box.execute("input()", on_input=fail)
    assert shared_box.execute("1").result == "1"


def test_what_on_event_raises_does_not_end_the_loop(shared_box: Sandbox) -> None:
    def fail(event: Event) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        shared_box.execute("1", on_event=fail)
    assert shared_box.execute("1").result == "1"


def test_a_listener_cannot_execute_and_is_told_so(shared_box: Sandbox) -> None:
    with pytest.raises(SandboxError, match="event loop"):
        shared_box.execute("1", on_event=lambda event: print(shared_box.execute("2")))
