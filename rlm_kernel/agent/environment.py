"""Where a run's code runs, as the loop sees it: the seam between the two."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rlm_kernel.agent.answers import TextAnswer
from rlm_kernel.agent.context import ContextFile
from rlm_kernel.agent.events import AnswerSource, OutputKind, RichOutput

OnHostCall = Callable[[str, dict[str, Any]], Awaitable[Any]]


class OnOutput(Protocol):
    """Gets each piece of a cell's output, in order: as text, and whole where it is more."""

    def __call__(self, kind: OutputKind, text: str, rich: RichOutput | None = None) -> None: ...


class HostCallFailedError(Exception):
    """Raised by an `OnHostCall`: the call fails in the session with this class name and text.

    `code` names the kind of the failure for programs, as `rlm_kernel.errors` has it.
    """

    def __init__(self, ename: str, evalue: str, code: str = "") -> None:
        super().__init__(f"{ename}: {evalue}")
        self.ename = ename
        self.evalue = evalue
        self.code = code

    def as_dict(self) -> dict[str, str]:
        """As it crosses into the session."""
        code = {"code": self.code} if self.code else {}
        return {"ename": self.ename, "evalue": self.evalue, **code}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that a cell gave.

    For a value that is no str `json` is it as JSON, or `problem` is why it cannot be.
    """

    text: str
    source: AnswerSource
    json: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class CellResult:
    """What became of a cell; its output went to `on_output` as it came.

    `error` is the class name and text of the exception that ended it. `state` says what became of
    the session's variables: `kept`, `rolled_back` to before the cell, or `lost`. `asked_for_input`
    says that the cell was interrupted because it called `input()`. `execution_count` is its number
    in the session, where it got one.
    """

    error: tuple[str, str] | None
    answer: Answer | None
    state: str
    duration_s: float
    timed_out: bool = False
    asked_for_input: bool = False
    execution_count: int | None = None


class Environment(Protocol):
    """One session for one run."""

    @property
    def session_id(self) -> str:
        """The session's id."""

    @property
    def connection(self) -> Mapping[str, Any]:
        """The Jupyter connection info, with which people can attach."""

    async def load(
        self,
        context: ContextFile | None,
        *,
        sub_calls: bool,
        recursion: bool,
        tools: Sequence[Mapping[str, str]] = (),
        names: Sequence[str] = ("context",),
        history: ContextFile | None = None,
    ) -> None:
        """Define the functions for the model, `context` by each of `names`, and `history`.

        Called before any code, and again for each further question of a conversation; what was
        loaded before stays, but for the names that are used again. Raises ContextTooLarge for what
        the session cannot hold.
        """

    async def execute(
        self, code: str, *, timeout_s: float, on_output: OnOutput, on_host_call: OnHostCall
    ) -> CellResult:
        """Run a cell. Raises ManagerError when the session is gone for good.

        Where its process had to be replaced (`lost`), what `load` defined is there again.
        """

    async def take_text_answer(
        self, answer: TextAnswer, *, timeout_s: float, on_host_call: OnHostCall
    ) -> CellResult:
        """Have the session work out an answer that the model wrote as text."""

    async def suspend(self) -> None:
        """Stop what runs and let go of the session, which lives on until `close`, or expires."""

    async def resume(self) -> bool:
        """Be there again after `suspend`, also in another event loop.

        Whether the variables are still there; where they are not, what `load` defined is.
        """

    async def fork(self) -> Environment:
        """A session that is a live copy of this one. The caller closes it.

        While a cell waits for the value of a host call the copy is made there, and the cell ends
        in it as if it were interrupted. Raises ManagerError, ForkFailed.
        """

    async def fetch_handed(self, key: str) -> bytes:
        """The JSON that the session keeps under `key` while a cell waits for a host call's value.

        Raises ManagerError, ForkFailed, AgentError.
        """

    async def close(self) -> None:
        """End the session, and whatever runs in it. Idempotent; never raises ManagerError.

        Also possible while it is suspended.
        """


class REPLFactory(Protocol):
    """Makes the environments of runs."""

    async def open_environment(self) -> Environment:
        """A new session. The caller closes it."""
