"""What each request is answered with, and what everyone is told meanwhile."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from rlm_kernel.kernel.info import PYTHON_VERSION
from rlm_kernel.sandbox import Limits, Session, Zygote
from rlm_kernel.sandbox.loop_thread import LoopThread
from tests.kernel.conftest import Served
from tests.kernel.peer import Peer


def test_a_cell_is_published_between_its_busy_and_its_idle_status(peer: Peer) -> None:
    done = peer.execute("print('hello'); 40 + 2")
    states = [content["execution_state"] for content in done.contents("status")]
    assert states == ["busy", "idle"]
    assert done.kinds()[:2] == ["status", "execute_input"]
    assert done.contents("execute_input") == [
        {"code": "print('hello'); 40 + 2", "execution_count": 1}
    ]
    assert done.text() == "hello\n"
    assert done.contents("execute_result")[0]["data"] == {"text/plain": "42"}


def test_the_reply_of_a_cell_says_how_it_went(peer: Peer) -> None:
    done = peer.execute("x = 1", user_expressions={"twice": "x * 2"})
    assert done.content["status"] == "ok"
    assert done.content["execution_count"] == 1
    assert done.content["payload"] == []
    assert done.content["user_expressions"]["twice"]["data"] == {"text/plain": "2"}
    facts = done.reply["metadata"]
    assert (facts["status"], facts["state"], facts["timed_out"]) == ("ok", "kept", False)
    assert facts["duration_ms"] > 0


def test_an_error_is_published_and_replied_under_its_bare_class_name(peer: Peer) -> None:
    done = peer.execute("1 / 0")
    published = done.contents("error")[0]
    assert done.content["status"] == "error"
    assert (published["ename"], published["evalue"]) == ("ZeroDivisionError", "division by zero")
    assert (done.content["ename"], done.content["evalue"]) == (
        "ZeroDivisionError",
        "division by zero",
    )
    assert done.content["traceback"] == published["traceback"] != []


def test_a_silent_cell_is_neither_announced_nor_counted(served: Served, peer: Peer) -> None:
    done = peer.execute("y = 5; y", silent=True)
    assert done.kinds() == ["status", "status"]
    assert peer.execute("y").content["execution_count"] == 1
    assert served.kernel.executions == 1


def test_display_data_updates_and_clears_reach_the_client(peer: Peer) -> None:
    done = peer.execute(
        "from IPython.display import HTML, clear_output, display\n"
        "shown = display(HTML('<b>one</b>'), display_id=True)\n"
        "shown.update(HTML('<b>two</b>'))\n"
        "clear_output(wait=True)"
    )
    shown, updated = done.contents("display_data")[0], done.contents("update_display_data")[0]
    assert shown["data"]["text/html"] == "<b>one</b>"
    assert updated["data"]["text/html"] == "<b>two</b>"
    assert shown["transient"]["display_id"] == updated["transient"]["display_id"]
    assert done.contents("clear_output") == [{"wait": True}]


def test_output_of_a_task_keeps_the_cell_that_started_it_as_its_parent(peer: Peer) -> None:
    started = peer.execute(
        "import asyncio\n"
        "begin = asyncio.Event()\n"
        "async def later():\n"
        "    await begin.wait()\n"
        "    print('late')\n"
        "task = asyncio.ensure_future(later())"
    )
    peer.start("begin.set(); await task")
    late = peer.until_published(lambda m: bool(m["msg_type"] == "stream"))
    assert late["content"]["text"].startswith("late")
    assert late["parent_header"]["msg_id"] == started.reply["parent_header"]["msg_id"]


def test_what_json_cannot_hold_is_still_delivered(peer: Peer) -> None:
    done = peer.execute(
        "from IPython.display import display\n"
        "display({'application/json': [float('nan'), float('inf')], 'text/plain': '-'}, raw=True)\n"
        "print('\\ud800')"
    )
    assert done.contents("display_data")[0]["data"]["application/json"] == ["nan", "inf"]
    assert done.text() == "?\n"


def test_kernel_info_describes_the_guest(peer: Peer) -> None:
    info = peer.ask("kernel_info_request").content
    version = peer.execute("import platform; platform.python_version()")
    ipython = peer.execute("import IPython; IPython.__version__")
    assert info["status"] == "ok"
    assert info["language_info"]["name"] == "python"
    assert version.contents("execute_result")[0]["data"]["text/plain"] == repr(PYTHON_VERSION)
    assert info["language_info"]["version"] == PYTHON_VERSION
    assert ipython.contents("execute_result")[0]["data"]["text/plain"] == repr(
        info["implementation_version"]
    )


@pytest.mark.parametrize(
    ("code", "status"), [("1 + 1", "complete"), ("def f():", "incomplete"), ("1 +* 1", "invalid")]
)
def test_is_complete_tells_whether_code_is_whole(peer: Peer, code: str, status: str) -> None:
    assert peer.ask("is_complete_request", {"code": code}).content["status"] == status


def test_completion_and_inspection_look_into_the_session(peer: Peer) -> None:
    peer.execute("remarkable = {'a': 1}")
    completed = peer.ask("complete_request", {"code": "remark", "cursor_pos": 6}).content
    inspected = peer.ask(
        "inspect_request", {"code": "remarkable", "cursor_pos": 4, "detail_level": 0}
    ).content
    assert "remarkable" in completed["matches"]
    assert inspected["found"]
    assert "dict" in inspected["data"]["text/plain"]


def test_history_holds_what_was_executed(peer: Peer) -> None:
    peer.execute("first = 1")
    request = {"hist_access_type": "tail", "n": 1, "raw": True, "output": False}
    history = peer.ask("history_request", request).content["history"]
    assert [entry[2] for entry in history] == ["first = 1"]


def test_no_comm_is_open_at_first(peer: Peer) -> None:
    assert peer.ask("comm_info_request").content == {"status": "ok", "comms": {}}


def test_a_comm_message_ends_with_idle_and_has_no_reply(peer: Peer) -> None:
    message_id = peer.send("comm_msg", {"comm_id": "unknown", "data": {}})
    peer.published(message_id)
    assert peer.ask("kernel_info_request").content["status"] == "ok"


def test_connect_gives_the_ports(served: Served, peer: Peer) -> None:
    ports = {name: port for name, port in served.connection.items() if name.endswith("_port")}
    assert peer.ask("connect_request").content == {"status": "ok", **ports}


@pytest.mark.parametrize("channel", ["shell", "control"])
def test_a_request_of_an_unknown_type_gets_an_error(peer: Peer, channel: str) -> None:
    answer = peer.ask("teleport_request", {}, channel)
    assert answer.reply["msg_type"] == "teleport_reply"
    assert (answer.content["status"], answer.content["ename"]) == ("error", "UnknownMessageType")


def test_a_message_of_an_unknown_type_that_is_no_request_is_ignored(peer: Peer) -> None:
    peer.published(peer.send("gossip", {}))
    assert peer.ask("kernel_info_request").content["status"] == "ok"


@pytest.mark.parametrize("content", [{}, {"code": 7}, {"code": "1", "silent": "yes"}])
def test_an_execute_request_that_is_malformed_is_told_so(
    peer: Peer, content: dict[str, object]
) -> None:
    answer = peer.ask("execute_request", content)
    assert (answer.content["status"], answer.content["ename"]) == ("error", "MalformedRequest")
    assert answer.contents("error")[0]["ename"] == "MalformedRequest"
    assert peer.execute("1").content["status"] == "ok"


def test_a_request_whose_content_lacks_a_key_gets_an_error(peer: Peer) -> None:
    assert peer.ask("complete_request", {}).content["status"] == "error"
    assert peer.execute("1").content["status"] == "ok"


def test_control_answers_while_a_cell_runs(peer: Peer) -> None:
    running = peer.start("print('running')\nwhile True: pass")
    peer.await_text("running")
    assert peer.ask("kernel_info_request", {}, "control").content["status"] == "ok"
    peer.send("interrupt_request", {}, "control")
    assert peer.next_reply("control")["content"] == {"status": "ok"}
    assert peer.finish(running).content["ename"] == "KeyboardInterrupt"


def test_an_interrupt_has_no_status_messages(peer: Peer) -> None:
    interrupt = peer.send("interrupt_request", {}, "control")
    peer.reply(interrupt, "control")
    marker = peer.send("kernel_info_request")
    published = peer.next_published()
    assert published["parent_header"]["msg_id"] == marker


def test_a_cell_that_kills_its_process_says_what_became_of_the_state(peer: Peer) -> None:
    peer.execute("kept = 1")
    done = peer.execute("import os; os._exit(3)")
    assert (done.content["status"], done.content["ename"]) == ("error", "SessionDied")
    assert done.reply["metadata"]["state"] == "lost"
    assert done.contents("error")[0]["ename"] == "SessionDied"
    assert "all variables are lost" in done.text("stderr")
    assert peer.execute("kept").content["ename"] == "NameError"


@contextmanager
def that_can_go_back(loop: LoopThread, zygote: Zygote) -> Iterator[tuple[Session, Peer]]:
    """A session in whose standby `kept` is 1."""

    async def with_standby() -> Session:
        return Session(zygote, Limits(), await zygote.fork())

    session = loop.run(with_standby())
    with closing(Served(loop, session)) as served, Peer(served.connection) as peer:
        peer.execute("kept = 1")
        while not session.has_standby:
            time.sleep(0.005)
        yield session, peer


def test_a_session_with_a_standby_goes_on_as_it_was_before(
    loop: LoopThread, zygote: Zygote
) -> None:
    with that_can_go_back(loop, zygote) as (_, peer):
        done = peer.execute("import os; os._exit(3)")
        assert done.reply["metadata"]["state"] == "rolled_back"
        assert "goes on in a copy" in done.text("stderr")
        assert peer.execute("print(kept)").text("stdout") == "1\n"


def kill(session: Session) -> None:
    """Returns once its owner knows that its process has ended."""
    os.kill(session.pid, signal.SIGKILL)
    while session.lives:
        time.sleep(0.005)


@pytest.mark.parametrize("between", [(), ("is_complete_request",)])
def test_a_session_that_went_back_between_two_cells_says_that_it_did(
    loop: LoopThread, zygote: Zygote, between: tuple[str, ...]
) -> None:
    with that_can_go_back(loop, zygote) as (session, peer):
        kill(session)
        for kind in between:
            peer.ask(kind, {"code": "1"})
        done = peer.execute("print(kept)")
        assert (done.reply["metadata"]["state"], done.text("stdout")) == ("rolled_back", "1\n")
        assert "ran in a copy" in done.text("stderr")
        assert "lost" not in done.text("stderr")


def test_a_loss_is_not_told_to_the_session_after_a_restart(served: Served, peer: Peer) -> None:
    kill(served.session)
    peer.ask("is_complete_request", {"code": "1"})
    served.loop.run(served.kernel.restart())
    done = peer.execute("1")
    assert (done.reply["metadata"]["state"], done.text("stderr")) == ("kept", "")


def test_a_session_process_killed_from_outside_ends_its_cell(served: Served, peer: Peer) -> None:
    running = peer.start("print('running')\nwhile True: pass")
    peer.await_text("running")
    os.kill(served.session.pid, 9)
    done = peer.finish(running)
    assert (done.content["ename"], done.reply["metadata"]["state"]) == ("SessionDied", "lost")
    assert peer.execute("1 + 1").content["status"] == "ok"


@pytest.mark.parametrize("between", [(), ("is_complete_request",)])
def test_a_death_between_two_cells_is_told_by_the_next_one(
    served: Served, peer: Peer, between: tuple[str, ...]
) -> None:
    peer.execute("x = 1")
    kill(served.session)
    for kind in between:
        peer.ask(kind, {"code": "1"})
    done = peer.execute("x")
    assert done.content["status"] == "error"
    assert done.reply["metadata"]["state"] == "lost"
    assert "are lost" in done.text("stderr")
    assert len(done.contents("error")) == 1
    again = peer.execute("x")
    assert (again.content["ename"], again.reply["metadata"]["state"]) == ("NameError", "kept")


def test_an_exception_of_the_guest_is_not_taken_for_its_end(peer: Peer) -> None:
    done = peer.execute("class SessionDied(Exception): pass\nraise SessionDied('no')")
    assert done.content["ename"] == "SessionDied"
    assert done.reply["metadata"]["state"] == "kept"
    assert (done.text("stderr"), len(done.contents("error"))) == ("", 1)


def test_a_time_limit_in_the_metadata_interrupts_the_cell(peer: Peer) -> None:
    done = peer.finish(peer.start("while True: pass", metadata={"timeout": 0.2}))
    assert done.content["ename"] == "KeyboardInterrupt"
    assert done.reply["metadata"]["timed_out"]
    assert done.reply["metadata"]["state"] == "kept"


@pytest.mark.parametrize("limit", [0, -1, True, "1", None])
def test_a_time_limit_that_makes_no_sense_is_none(peer: Peer, limit: object) -> None:
    done = peer.finish(peer.start("1", metadata={"timeout": limit}))
    assert (done.content["status"], done.reply["metadata"]["timed_out"]) == ("ok", False)
