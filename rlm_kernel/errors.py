"""Every error that rlm-kernel raises on purpose.

RLMKernelError
├── ConfigurationError          a setting or an argument that cannot work
│   ├── ContextTooLarge         a context of more bytes than may go into a session
│   ├── ModelMissing            no local model is where it was said to be; it may still come
│   ├── CacheError              a cache directory that cannot be used or trusted
│   └── PackageError            a package that cannot be preloaded
│       ├── PackageNotFound     no wheel of it runs in the guest
│       ├── PackageConflict     requirements that contradict each other, or the guest's own
│       ├── WrongPlatform       a wheel that was made for another platform
│       └── BadWheel            a file that is not a wheel, or a damaged one
├── MalformedModule             WebAssembly bytes that break the format, with the offset
├── CompilationError            a module that the engine does not accept
├── FetchError                  a pinned file that no source could deliver
│   └── IntegrityError          bytes that differ from the pinned hash
├── SandboxError
│   ├── ZygoteError             the zygote could not be started, or is gone
│   ├── SandboxClosed           used after close()
│   ├── ForkFailed              a live copy of the session could not be made
│   ├── RequestAborted          the session was restarted before its turn came
│   └── FileError               a file of the session that cannot be read or written
│       └── FileMissing
├── SubshellError               a subshell that does not exist, or one too many
├── ManagerError                what our HTTP interfaces answer
│   ├── BadRequest
│   │   └── ModelNotAllowed     a request may not choose this model
│   ├── Unauthorized            no token, or not the right one
│   ├── Forbidden               a web page may have forged it, or it takes the owner's token
│   ├── RouteNotFound
│   ├── RunNotFound             no such run is kept
│   ├── MethodNotAllowed
│   ├── BodyTooLarge
│   ├── HeadersTooLarge
│   ├── RequestTooSlow
│   ├── RangeNotSatisfiable
│   ├── SessionNotFound
│   ├── SessionExpired
│   ├── SessionBusy
│   ├── ReaderTooSlow           a client took too little of a stream of events
│   ├── TryLater                what may be possible in some seconds
│   │   ├── TooManySessions
│   │   ├── TooManyRuns
│   │   ├── SandboxUnavailable  the manager of an agent cannot be reached, or has no session
│   │   ├── TooManyConnections
│   │   ├── TooManyTries        of tokens that are none
│   │   └── NotReady            the server still starts, or closes down
│   └── ManagerUnavailable      the manager cannot be reached
│       └── ClaimFailed         no pod with a manager could be claimed of the cluster
└── AgentError
    ├── ConversationBusy        a persistent agent answers one question at a time
    ├── ModelError              the language model failed or cannot be reached
    │   ├── ModelUnavailable    it may well answer if asked again
    │   └── PromptTooLong       it cannot read as much as it was sent
    ├── SessionFailed           the manager failed at the session of a run
    ├── RunCancelled            somebody ended the run
    ├── WorkerLost              the machine or process that had the work is gone
    ├── AnswerMismatch          the answer is not of the type that was asked for
    └── BudgetExceeded          a limit of the run was reached; carries the partial answer
        ├── CostLimitExceeded
        ├── TokenLimitExceeded
        ├── CallLimitExceeded
        ├── TimeLimitExceeded
        ├── TurnLimitExceeded
        └── ErrorLimitExceeded
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar


class RLMKernelError(Exception):
    """Root of the tree. `code` is stable and is what crosses the wire."""

    code: ClassVar[str] = "error"


class ConfigurationError(RLMKernelError):
    """A setting or an argument that cannot work."""

    code = "bad_configuration"


class ContextTooLarge(ConfigurationError):
    """A context of more bytes than may go into a session, or than it can hold.

    `limit` is how many bytes a context may have, where that is known.
    """

    code = "context_too_large"

    def __init__(self, message: str, limit: int | None = None) -> None:
        super().__init__(message)
        self.limit = limit


class ModelMissing(ConfigurationError):
    """There is no local model at the path, or nothing is in its file: it may still come."""

    code = "model_missing"


class CacheError(ConfigurationError):
    """A cache directory that cannot be used, or that others than its user could have changed."""

    code = "bad_cache"


class PackageError(ConfigurationError):
    """A package that cannot be preloaded."""

    code = "bad_package"


class PackageNotFound(PackageError):
    """No wheel of the package, in a version that was asked for, runs in the guest."""

    code = "package_not_found"


class PackageConflict(PackageError):
    """Requirements of packages that contradict each other, or what the guest has already."""

    code = "package_conflict"


class WrongPlatform(PackageError):
    """A wheel that was made for another platform, or another Python, than the guest's."""

    code = "wrong_platform"


class BadWheel(PackageError):
    """A file that is not a wheel, or a wheel that is damaged."""

    code = "bad_wheel"


class MalformedModule(RLMKernelError):
    """WebAssembly bytes that break the format.

    `offset` counts bytes from the start of the module.
    """

    code = "malformed_module"

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(f"{message} (at byte {offset:#x})")
        self.offset = offset


class CompilationError(RLMKernelError):
    """A WebAssembly module that the engine does not accept."""

    code = "compilation_failed"


class FetchError(RLMKernelError):
    """A pinned file that no source could deliver; the message says what failed at each."""

    code = "fetch_failed"


class IntegrityError(FetchError):
    """Bytes that differ from the pinned hash."""

    code = "bad_hash"


class SandboxError(RLMKernelError):
    """A sandbox that cannot do what was asked."""

    code = "sandbox_error"


class ZygoteError(SandboxError):
    """The zygote could not be started, or is gone."""

    code = "zygote_failed"


class SandboxClosed(SandboxError):
    """The sandbox was used after it was closed."""

    code = "sandbox_closed"


class ForkFailed(SandboxError):
    """A live copy of the session could not be made."""

    code = "fork_failed"


class RequestAborted(SandboxError):
    """The session was restarted before this came to its turn."""

    code = "request_aborted"


class FileError(SandboxError):
    """A file of the session that cannot be read or written."""

    code = "file_error"


class FileMissing(FileError):
    """The session has no file at this path."""

    code = "file_not_found"


class SubshellError(RLMKernelError):
    """A subshell of a kernel does not exist, or there are as many as there may be."""

    code = "subshell_error"


class ManagerError(RLMKernelError):
    """What our HTTP interfaces, the manager's above all, answer when they cannot do it."""

    code = "manager_error"


class BadRequest(ManagerError):
    """A request that is not of the documented form."""

    code = "bad_request"


class ModelNotAllowed(BadRequest):
    """A request chose a model that the service is not set up to ask."""

    code = "model_not_allowed"


class Unauthorized(ManagerError):
    """The request carries no token, or not the right one."""

    code = "unauthorized"


class Forbidden(ManagerError):
    """A request that another site's page may have made a browser send, or that is for owners."""

    code = "forbidden"


class RouteNotFound(ManagerError):
    """The server has no such path."""

    code = "not_found"


class RunNotFound(ManagerError):
    """No run of this id is kept: there was none, or it is forgotten."""

    code = "run_not_found"


class MethodNotAllowed(ManagerError):
    """The path exists, but not for this method."""

    code = "method_not_allowed"


class BodyTooLarge(ManagerError):
    """The request's body is larger than the manager takes."""

    code = "body_too_large"


class RangeNotSatisfiable(ManagerError):
    """None of the bytes that were asked for are in the file, which has `size` of them."""

    code = "range_not_satisfiable"

    def __init__(self, message: str, size: int | None = None) -> None:
        super().__init__(message)
        self.size = size


class SessionNotFound(ManagerError):
    """No session has this id."""

    code = "session_not_found"


class SessionExpired(ManagerError):
    """The session existed and was closed after standing idle for too long."""

    code = "session_expired"


class SessionBusy(ManagerError):
    """The session is running a cell and the caller asked not to queue."""

    code = "session_busy"


class TryLater(ManagerError):
    """What is not possible now. `retry_after` is in how many seconds it may be, if known."""

    code = "try_later"

    def __init__(self, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ReaderTooSlow(ManagerError):
    """A client did not read what a cell said while too much of it came; the stream has ended."""

    code = "reader_too_slow"


class TooManySessions(TryLater):
    """The manager holds as many sessions as it may, until idleness closes one."""

    code = "too_many_sessions"


class TooManyRuns(TryLater):
    """As many runs go on as may at once, or hold as many bytes as may be held."""

    code = "too_many_runs"


class SandboxUnavailable(TryLater):
    """The manager that an agent works with cannot be reached, or gives it no session now."""

    code = "sandbox_unavailable"


class TooManyConnections(TryLater):
    """There are as many connections as there may be, and each has a request."""

    code = "too_many_connections"


class TooManyTries(TryLater):
    """Too many tokens that are none came from one address."""

    code = "too_many_tries"


class HeadersTooLarge(ManagerError):
    """A request whose headers are larger, or more, than the manager takes."""

    code = "headers_too_large"


class RequestTooSlow(ManagerError):
    """A request that did not arrive within the time that there is for it."""

    code = "request_too_slow"


class NotReady(TryLater):
    """The server cannot serve this yet, or no more: it starts, or closes down."""

    code = "not_ready"


class ManagerUnavailable(ManagerError):
    """The manager cannot be reached."""

    code = "manager_unavailable"


class ClaimFailed(ManagerUnavailable):
    """No pod with a manager could be had of the cluster; the message has what the cluster says."""

    code = "claim_failed"


class AgentError(RLMKernelError):
    """A run that cannot go on."""

    code = "agent_error"


class ConversationBusy(AgentError):
    """A persistent conversation was asked something while it still answers something else."""

    code = "conversation_busy"


class ModelError(AgentError):
    """The language model failed or cannot be reached.

    `may_have_cost` says that the call broke off where it may have been charged for.
    """

    code = "model_failed"

    def __init__(self, message: str, *, may_have_cost: bool = False) -> None:
        super().__init__(message)
        self.may_have_cost = may_have_cost


class ModelUnavailable(ModelError):
    """The model has too much to do, failed by itself or cannot be reached: it may answer later.

    `retry_after` is in how many seconds it asks to be asked again, if it does.
    """

    code = "model_unavailable"

    def __init__(
        self, message: str, retry_after: float | None = None, *, may_have_cost: bool = False
    ) -> None:
        super().__init__(message, may_have_cost=may_have_cost)
        self.retry_after = retry_after


class PromptTooLong(ModelError):
    """The model cannot read as much as it was sent."""

    code = "prompt_too_long"


class SessionFailed(AgentError):
    """The manager failed at the session of a run, or somebody ended it."""

    code = "session_failed"


class RunCancelled(AgentError):
    """Somebody ended the run, or the service closes down."""

    code = "run_cancelled"


class WorkerLost(AgentError):
    """The process that was to do a part of the work, perhaps on another machine, is gone."""

    code = "worker_lost"


class BudgetExceeded(AgentError):
    """A limit of the run was reached.

    `partial_answer` is the best there was by then, `usage` what the whole tree of runs took (a
    `rlm_kernel.agent.Usage`), where these are known.
    """

    code = "budget_exceeded"

    def __init__(
        self, message: str, partial_answer: str | None = None, usage: object | None = None
    ) -> None:
        super().__init__(message)
        self.partial_answer = partial_answer
        self.usage = usage


class CostLimitExceeded(BudgetExceeded):
    """The next model call could cost more money than is left."""

    code = "cost_limit_exceeded"


class TokenLimitExceeded(BudgetExceeded):
    """The next model call could take more tokens than are left."""

    code = "token_limit_exceeded"


class CallLimitExceeded(BudgetExceeded):
    """There were as many model calls as there may be."""

    code = "call_limit_exceeded"


class TimeLimitExceeded(BudgetExceeded):
    """The time for the whole tree of runs is over."""

    code = "time_limit_exceeded"


class TurnLimitExceeded(BudgetExceeded):
    """A run, or its whole tree, has had as many turns as there may be."""

    code = "turn_limit_exceeded"


class ErrorLimitExceeded(BudgetExceeded):
    """As many cells and model calls failed as may fail."""

    code = "error_limit_exceeded"


class AnswerMismatch(AgentError):
    """The answer is not of the type that was asked for, whatever the model was told about it.

    `partial_answer` is the text of the last one it gave; `usage` is as in BudgetExceeded.
    """

    code = "answer_mismatch"

    def __init__(
        self, message: str, partial_answer: str | None = None, usage: object | None = None
    ) -> None:
        super().__init__(message)
        self.partial_answer = partial_answer
        self.usage = usage


def _family(kind: type[RLMKernelError]) -> Iterator[type[RLMKernelError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _family(child)


_CLASS_OF = {kind.code: kind for kind in _family(RLMKernelError) if kind is not MalformedModule}
"""The classes that take a message alone, by what crosses the wire."""


def error_class(
    code: str, otherwise: type[RLMKernelError] = RLMKernelError
) -> type[RLMKernelError]:
    """The class with this code that takes a message alone, `otherwise` where there is none."""
    return _CLASS_OF.get(code, otherwise)
