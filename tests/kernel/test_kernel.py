"""The kernel as its owner uses it: REST executions, interrupt, restart, shutdown, close."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest

from rlm_kernel.errors import SandboxClosed, SandboxError, ZygoteError
from rlm_kernel.kernel import Kernel
from rlm_kernel.kernel.message import Channel, Message, Mint
from rlm_kernel.sandbox import Reply
from rlm_kernel.sandbox.loop_thread import LoopThread
from tests.kernel.conftest import Served
from tests.kernel.peer import Peer
from tests.kernel.recording import RecordingClient, RecordingSession


def test_an_owners_execution_gives_all_that_the_code_did(served: Served) -> None:
    code = (
        "import sys\nfrom IPython.display import HTML, display\n"
        "print('out'); print('err', file=sys.stderr); display(HTML('<i>')); 6 * 7"
    )
    result = served.loop.run(served.kernel.execute(code))
    assert (result.status, result.stdout, result.stderr) == ("ok", "out\n", "err\n")
    assert (result.result, result.execution_count, result.state) == ("42", 1, "kept")
    assert result.display[0]["text/html"] == "<i>"
    assert result.duration_ms > 0


def test_an_owners_execution_is_seen_by_everyone_attached(served: Served, peer: Peer) -> None:
    served.loop.run(served.kernel.execute("print('watched')"))
    announced = peer.until_published(lambda m: bool(m["msg_type"] == "execute_input"))
    assert announced["content"]["code"] == "print('watched')"
    shown = peer.until_published(lambda m: bool(m["msg_type"] == "stream"))
    assert shown["content"]["text"].startswith("watched")
    assert shown["parent_header"] == announced["parent_header"]
    peer.until_published(lambda m: m["content"].get("execution_state") == "idle")


def test_clients_and_owner_share_the_session(served: Served, peer: Peer) -> None:
    peer.execute("shared = 'both'")
    assert served.loop.run(served.kernel.execute("shared")).result == "'both'"


def test_an_owners_error_is_told_as_one(served: Served) -> None:
    result = served.loop.run(served.kernel.execute("{}['missing']"))
    assert result.status == "error"
    assert result.error is not None
    assert (result.error.ename, result.error.evalue) == ("KeyError", "'missing'")


def test_a_time_limit_ends_the_code_and_keeps_the_state(served: Served) -> None:
    served.loop.run(served.kernel.execute("x = 'kept'"))
    result = served.loop.run(served.kernel.execute("while True: pass", timeout=0.2))
    assert (result.status, result.state) == ("timeout", "kept")
    assert served.loop.run(served.kernel.execute("x")).result == "'kept'"


def test_code_that_ends_its_process_loses_the_state_and_says_so(served: Served) -> None:
    result = served.loop.run(served.kernel.execute("import os; os._exit(1)"))
    assert (result.status, result.state) == ("error", "lost")
    assert "all variables are lost" in result.stderr
    assert served.loop.run(served.kernel.execute("1 + 1")).result == "2"


def test_the_kernel_counts_cells_and_notes_its_activity(served: Served) -> None:
    before = datetime.now(UTC)
    served.loop.run(served.kernel.execute("1"))
    served.loop.run(served.kernel.execute("2"))
    assert served.kernel.executions == 2
    assert before <= served.kernel.last_activity <= datetime.now(UTC)


def test_the_kernel_is_busy_while_a_cell_runs(served: Served, peer: Peer) -> None:
    before = served.kernel.status
    running = peer.start("print('running')\nwhile True: pass")
    peer.await_text("running")
    assert (before, served.kernel.status) == ("idle", "busy")
    served.loop.call_soon(served.kernel.interrupt)
    peer.finish(running)
    assert peer.ask("kernel_info_request").content["status"] == "ok"


def test_code_whose_caller_gave_up_while_it_waited_does_not_run(served: Served, peer: Peer) -> None:
    running = peer.start("print('running')\nwhile True: pass")
    peer.await_text("running")
    waiting = served.loop.submit(served.kernel.execute("ran = True"))
    served.await_waiting(1)
    waiting.cancel()
    while served.kernel.waiting:
        time.sleep(0.005)
    served.loop.call_soon(served.kernel.interrupt)
    peer.finish(running)
    assert peer.execute("ran").content["ename"] == "NameError"


def test_a_restart_gives_a_fresh_session_and_aborts_what_waits(served: Served, peer: Peer) -> None:
    peer.execute("x = 1")
    running = peer.start("print('running')\nwhile True: pass")
    peer.await_text("running")
    waiting, called = peer.start("x"), served.loop.submit(served.kernel.execute("x"))
    served.await_waiting(2)
    served.loop.run(served.kernel.restart())
    assert peer.reply(running)["metadata"]["state"] == "lost"
    assert peer.reply(waiting)["content"] == {"status": "aborted"}
    result = called.result()
    assert result.error is not None
    assert (result.error.ename, result.state) == ("ExecutionAborted", "lost")
    assert served.loop.run(served.kernel.execute("x")).error is not None
    assert served.loop.run(served.kernel.execute("1")).execution_count == 2


def test_a_shutdown_request_with_restart_gives_a_fresh_session(served: Served, peer: Peer) -> None:
    peer.execute("x = 1")
    request = peer.send("shutdown_request", {"restart": True}, "control")
    assert peer.reply(request, "control")["content"] == {"status": "ok", "restart": True}
    peer.until_published(lambda m: m["content"].get("execution_state") == "starting")
    assert peer.execute("x").content["ename"] == "NameError"


def test_a_shutdown_request_closes_the_session_and_tells_everyone(
    served: Served, peer: Peer
) -> None:
    with Peer(served.connection) as other:
        request = peer.send("shutdown_request", {"restart": False}, "control")
        assert peer.reply(request, "control")["content"] == {"status": "ok", "restart": False}
        told = other.until_published(lambda m: bool(m["msg_type"] == "shutdown_reply"))
    assert told["content"]["restart"] is False
    assert peer.execute("1").content["ename"] == "SandboxClosed"


def test_the_owner_decides_what_a_shutdown_does(served: Served, peer: Peer) -> None:
    asked: list[bool] = []

    async def note(restart: bool) -> None:
        asked.append(restart)

    served.kernel.on_shutdown = note
    peer.reply(peer.send("shutdown_request", {"restart": False}, "control"), "control")
    assert peer.execute("1").content["status"] == "ok"
    assert asked == [False]


def test_closing_answers_everyone_who_waits(served: Served, peer: Peer) -> None:
    running = peer.start("print('running')\nwhile True: pass")
    peer.await_text("running")
    waiting, called = peer.start("1"), served.loop.submit(served.kernel.execute("1"))
    served.await_waiting(2)
    served.loop.run(served.kernel.close())
    assert peer.finish(running).content["status"] == "error"
    assert peer.finish(waiting).content == {"status": "aborted"}
    with pytest.raises(SandboxClosed):
        called.result()
    peer.until_published(lambda m: bool(m["msg_type"] == "shutdown_reply"))


def test_a_closed_kernel_executes_nothing(served: Served) -> None:
    served.loop.run(served.kernel.close())
    with pytest.raises(SandboxClosed):
        served.loop.run(served.kernel.execute("1"))
    served.loop.run(served.kernel.close())


class FailingSession(RecordingSession):
    """A session that cannot run anything."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def request(self, *_arguments: object, **_options: object) -> Reply:
        raise self._error


@pytest.mark.parametrize(
    ("error", "raised"), [(ZygoteError("gone"), ZygoteError), (RuntimeError("bug"), SandboxError)]
)
def test_a_session_that_cannot_run_code_is_an_error_of_the_caller(
    loop: LoopThread, error: Exception, raised: type[SandboxError]
) -> None:
    async def execute() -> None:
        await Kernel(FailingSession(error)).execute("1")

    with pytest.raises(raised, match=str(error)):
        loop.run(execute())


def test_a_sink_that_fails_does_not_disturb_the_kernel(loop: LoopThread) -> None:
    class Broken:
        def publish(self, message: object) -> None:
            raise RuntimeError("broken sink")

        def drain(self) -> None:
            pass

    async def execute() -> int | None:
        kernel = Kernel(RecordingSession())
        kernel.attach(Broken())
        await kernel.execute("1")
        return (await kernel.execute("2")).execution_count

    assert loop.run(execute()) == 2


def test_a_client_that_reuses_a_message_id_gets_its_own_replies(loop: LoopThread) -> None:
    async def handle() -> tuple[RecordingClient, RecordingClient]:
        kernel, clients = Kernel(RecordingSession()), (RecordingClient(), RecordingClient())
        message = Mint().message("execute_request", {"code": "1"})
        for client in clients:
            kernel.handle("shell", message, client)
        await kernel.execute("'after both'")
        return clients

    first, second = loop.run(handle())
    assert [m.content["execution_count"] for _, m in first.sent] == [1]
    assert [m.content["execution_count"] for _, m in second.sent] == [2]


class AwaitedClient(RecordingClient):
    """A client whose `reply` is the first message that it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.reply: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

    def send(self, channel: Channel, message: Message) -> bool:
        self.reply.set_result(message)
        return super().send(channel, message)


@pytest.mark.parametrize("turns", range(8))
def test_an_interrupt_reaches_a_cell_at_any_turn_of_the_loop_after_it_came(
    served: Served, turns: int
) -> None:
    async def story() -> Message:
        client = AwaitedClient()
        header = served.kernel.mint.header("execute_request")
        content = {"code": "while True: pass"}
        served.kernel.handle("shell", Message(header, content), client)
        for _ in range(turns):
            await asyncio.sleep(0)
        served.kernel.interrupt()
        return await client.reply

    assert served.loop.run(story()).content["ename"] == "KeyboardInterrupt"


def test_an_interrupt_reaches_a_cell_that_waits_for_the_sessions_turn(served: Served) -> None:
    async def story() -> str:
        sessions_turn = asyncio.create_task(served.session.put_file("big", bytes(8 << 20)))
        await asyncio.sleep(0)
        running = asyncio.create_task(served.kernel.execute("while True: pass"))
        for _ in range(5):
            await asyncio.sleep(0)
        served.kernel.interrupt()
        result = await running
        await sessions_turn
        assert result.error is not None
        return result.error.ename

    assert served.loop.run(story()) == "KeyboardInterrupt"
