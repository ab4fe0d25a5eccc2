"""A session in which a recorded run happens again: with no model, no network and no agent.

The first cell of a notebook that was made of a trajectory calls `begin`. It does what the agent
did when it opened the session (see `rlm_kernel.guest.rlm`), except that the functions of the host
answer from the recording.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from rlm_kernel.guest import host, rlm
from rlm_kernel.guest.asking import Asker
from rlm_kernel.guest.documents import Documents
from rlm_kernel.guest.gathering import TOGETHER
from rlm_kernel.guest.values import pack, unpack

_current: Repetition | None = None


class NotRecordedError(Exception):
    """What the recording does not hold: a line for whoever reads the notebook."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class RecordedAsker(Asker):
    """Answers host calls from a recording: each reply to a call that is alike once, the last again.

    `replies` has the replies of each call, by its digest.
    """

    def __init__(self, replies: Mapping[str, list[str]]) -> None:
        self._replies = {digest: list(texts) for digest, texts in replies.items()}

    def ask(self, prompt: str, *, caller: str, password: bool = False, **extra: Any) -> str:
        """The recorded reply, as the host sent it."""
        name, args = extra["host_call"]["name"], extra["host_call"]["args"]
        if name != TOGETHER:
            return self._reply(name, args)
        outcomes = [self._reply(each["name"], each["args"]) for each in args["calls"]]
        return json.dumps({"ok": [json.loads(outcome) for outcome in outcomes]})

    async def ask_later(self, prompt: str, *, caller: str, **extra: Any) -> str:
        """As `ask`: nothing has to be waited for."""
        return self.ask(prompt, caller=caller, **extra)

    def _reply(self, name: str, args: Mapping[str, Any]) -> str:
        replies = self._replies.get(digest_of(name, args), [])
        if not replies:
            reason = f"{name} was not called in this way in the recorded run"
            return json.dumps({"error": {"ename": "NotRecorded", "evalue": reason}})
        return replies.pop(0) if len(replies) > 1 else replies[0]


class Repetition:
    """The session of the repeated run. `text` is the answer that the code gave last, if it did."""

    def __init__(self, shell: Any, context: Any, replies: dict[str, list[str]], **offered: Any):
        self._shell = shell
        self._context = context
        self._offered = offered
        self.text: str | None = None
        host.asker = RecordedAsker(replies)
        self.furnish()
        shell.events.register("post_run_cell", self._look_for_answer)

    def furnish(self) -> None:
        """Define `context` and the functions, as the agent does."""
        rlm.install(self._shell, **self._offered)
        self._shell.user_ns["context"] = self._fresh_context()
        self._shell.user_ns.pop("recorded", None)  # a name that the run's session did not have

    def _fresh_context(self) -> Any:
        """The context as it was, whatever the code has done to it since."""
        if isinstance(self._context, str | bytes | Documents):
            return self._context
        return unpack(pack(self._context))

    def start_anew(self) -> None:
        """Forget all variables, as a session does whose process had to be replaced."""
        self._shell.reset(new_session=False)
        self.furnish()

    def end(self) -> None:
        """Let another repetition take its place."""
        self._shell.events.unregister("post_run_cell", self._look_for_answer)

    def _look_for_answer(self, result: Any) -> None:
        answered = self._shell.user_ns["_rlm"].answered().state
        if result.success and answered["answered"]:
            self.text = str(answered["text"])


def begin(
    *,
    context: Any,
    replies: str = "",
    sub_calls: bool = True,
    recursion: bool = False,
    tools: Sequence[Mapping[str, str]] = (),
) -> None:
    """Make this session that of the recorded run: `context`, and functions that answer.

    `replies` is what the host answered, as `packed_replies` packs it; the rest is as `install` of
    `rlm_kernel.guest.rlm` takes it.
    """
    from IPython import get_ipython

    global _current
    if _current is not None:
        _current.end()
    decoded = json.loads(_unpacked(replies)) if replies else {}
    offered = {"sub_calls": sub_calls, "recursion": recursion, "tools": tools}
    _current = Repetition(get_ipython(), context, decoded, **offered)


def start_anew() -> None:
    """Forget all variables and define `context` again: here the run's session was lost."""
    _running().start_anew()


def answer() -> rlm.TextTable:
    """The answer that the code has given."""
    text = _running().text
    if text is None:
        raise NotRecordedError("no cell has given an answer yet: run all cells above")
    return rlm.TextTable(text)


def unpacked(form: str, text: str) -> Any:
    """A context that is within the notebook: base64 of what zlib has compressed."""
    return rlm.value_of(_unpacked(text), form)


def beside(name: str, form: str, sha256: str) -> Any:
    """A context that is in a file of the session. Raises NotRecordedError where it is not."""
    try:
        with open(name, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise NotRecordedError(
            f"the context is in the file {name} beside the notebook: put it into the session first"
        ) from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise NotRecordedError(f"the file {name} is not the context of this run")
    return rlm.value_of(data, form)


def missing(note: str) -> Any:
    """Stands for a context that was not recorded. Raises NotRecordedError."""
    raise NotRecordedError(f"the context is not in this notebook: {note}")


def digest_of(name: str, args: Mapping[str, Any]) -> str:
    """What tells a call of the host from others: the same function, the same arguments."""
    text = json.dumps([name, args], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def packed(data: bytes) -> str:
    """Bytes as a notebook's cell can hold them."""
    return base64.b64encode(zlib.compress(data, 9)).decode()


def _running() -> Repetition:
    if _current is None:
        raise NotRecordedError("run the first cell of this notebook first")
    return _current


def _unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b64decode("".join(text.split())))
