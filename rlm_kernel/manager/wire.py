"""The JSON that crosses the manager's HTTP interface, as both of its ends see it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictStr,
    WithJsonSchema,
)

from rlm_kernel.http.messages import Wire


def timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC, always with a fraction: Jupyter's clients parse no other form."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Moment = Annotated[
    AwareDatetime,
    PlainSerializer(timestamp, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]

_LAST_SECOND = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())


AUTHOR = "rest"
"""Of cells whose sender has not said who it is."""


def moment(nanoseconds: int) -> datetime:
    """The moment so long after the epoch, or the last that there is a word for."""
    return datetime.fromtimestamp(min(nanoseconds // 1_000_000_000, _LAST_SECOND), UTC)


class SessionRequest(Wire):
    """Body of `POST /session`, if there is one.

    `owned` is whether only this interface ends or restarts the session: a Jupyter client's
    shutdown request is answered then, but not obeyed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    owned: bool = Field(default=False, strict=True)


class ForkRequest(SessionRequest):
    """Body of `POST /session/{id}/fork`, if there is one.

    A fork waits for the cells before it. With `mid_cell` it does not wait for a cell that itself
    waits for an answer, to `input()` or a call of the host: the copy is made there, and in it the
    cell ends with a KeyboardInterrupt at its question.
    """

    mid_cell: bool = Field(default=False, strict=True)


class ExecuteRequest(Wire):
    """Body of `POST /session/{id}/execute`.

    `timeout` is in seconds. `queue` is whether the cell may wait for those before it, and
    `interrupt_on_disconnect` whether it is interrupted, or leaves the line, when its client goes.
    `author` is the name by which those who watch the session see whose cell it is: it is the
    username in the header that all the cell's messages have for their parent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: StrictStr
    timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False, strict=True)
    queue: bool = Field(default=True, strict=True)
    interrupt_on_disconnect: bool = Field(default=False, strict=True)
    author: StrictStr = Field(
        default=AUTHOR, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]*$"
    )


class CellError(Wire):
    """The exception that ended a cell; `traceback` holds its lines, coloured by ANSI codes."""

    ename: str
    evalue: str
    traceback: list[str]


class CellEnd(Wire):
    """How a cell ended.

    `state` says what became of the session's variables: `kept`, `rolled_back` or `lost`.
    """

    status: Literal["ok", "error", "timeout"]
    error: CellError | None
    execution_count: int | None
    duration_ms: float
    state: str


class ExecutionResult(CellEnd):
    """What a cell did. `result` is the text of its last expression's value."""

    stdout: str
    stderr: str
    result: str | None
    display: list[dict[str, Any]]


class SessionInfo(Wire):
    """A session that was created or forked. Its id is also the id of its Jupyter kernel."""

    session_id: str
    created_at: Moment
    kernel_id: str


class SessionDetails(SessionInfo):
    """A living session.

    `idle_seconds` counts towards `SESSION_TTL` and is 0 while it works or somebody is attached.
    `waiting` requests stand in line behind the one that is served, and `clients` of Jupyter's are
    attached. `memory_bytes` are what its process has beyond what all sessions share, about, and
    `cpu_seconds` what that process has used: a restart begins with a new one. `forked_from` is the
    session that it is a copy of.
    """

    status: Literal["idle", "busy"]
    owned: bool
    forked_from: str | None
    age_seconds: float
    last_activity: Moment
    idle_seconds: float
    executions: int
    waiting: int
    clients: int
    memory_bytes: int
    cpu_seconds: float


class SessionList(Wire):
    """Answer to `GET /sessions`, oldest session first."""

    sessions: list[SessionDetails]
    max_sessions: int


class FileEntry(Wire):
    """Something in a folder of a session.

    `name` is for people: in it stands a replacement character for what is no text. `quoted` is the
    name as it is put into a URL. A `link` is told of as such, with its `target`. `mode` are its
    permission bits.
    """

    name: str
    quoted: str
    type: Literal["file", "directory", "link", "other"]
    size: int
    mode: int
    modified: Moment
    target: str | None


class FileList(Wire):
    """Some entries of a folder; `next` goes into the query as `after` where there are more."""

    entries: list[FileEntry]
    next: int | None


class JupyterConnection(Wire):
    """What a Jupyter connection file of the session's kernel holds."""

    transport: str
    ip: str
    shell_port: int
    iopub_port: int
    stdin_port: int
    control_port: int
    hb_port: int
    key: str
    signature_scheme: str
    kernel_name: str


class JupyterMessage(Wire):
    """A message of the Jupyter protocol; its buffers are in base64."""

    header: dict[str, Any]
    parent_header: dict[str, Any]
    metadata: dict[str, Any]
    content: dict[str, Any]
    buffers: list[str]


class ReplayedMessages(Wire):
    """What a session published last, oldest first, and how many messages before are gone."""

    dropped: int
    messages: list[JupyterMessage]


class Deleted(Wire):
    """Answer to `DELETE /sessions`: how many there were."""

    deleted: int


class Health(Wire):
    """Answer to `GET /health`: the manager is alive. `zygote` says whether sessions can start.

    `unsealed` names the layers of the seal that sessions lack on this system; null until known.
    """

    status: Literal["alive"] = "alive"
    version: str
    zygote: Literal["starting", "ready", "failed", "closed"]
    sessions: int
    unsealed: tuple[str, ...] | None = None


class Readiness(Wire):
    """Answer to `GET /ready`: a session was created, ran a cell and was deleted just now."""

    status: Literal["ready"] = "ready"
    duration_ms: float
