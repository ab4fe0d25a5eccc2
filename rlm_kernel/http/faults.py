"""How an error crosses HTTP: its class gives the code and the status, its code gives the class."""

from __future__ import annotations

from http import HTTPStatus

from rlm_kernel import errors
from rlm_kernel.http.messages import Fault, FaultBody

STATUS_OF: dict[type[errors.RLMKernelError], HTTPStatus] = {
    errors.BadRequest: HTTPStatus.BAD_REQUEST,
    errors.Unauthorized: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.ModelNotAllowed: HTTPStatus.BAD_REQUEST,
    errors.RouteNotFound: HTTPStatus.NOT_FOUND,
    errors.RunNotFound: HTTPStatus.NOT_FOUND,
    errors.MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    errors.BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.HeadersTooLarge: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.RequestTooSlow: HTTPStatus.REQUEST_TIMEOUT,
    errors.TooManyConnections: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.TooManyTries: HTTPStatus.TOO_MANY_REQUESTS,
    errors.RangeNotSatisfiable: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    errors.SessionNotFound: HTTPStatus.NOT_FOUND,
    errors.SessionExpired: HTTPStatus.GONE,
    errors.SessionBusy: HTTPStatus.CONFLICT,
    errors.TooManySessions: HTTPStatus.TOO_MANY_REQUESTS,
    errors.TooManyRuns: HTTPStatus.TOO_MANY_REQUESTS,
    errors.SandboxUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ReaderTooSlow: HTTPStatus.REQUEST_TIMEOUT,
    errors.TryLater: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.NotReady: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ForkFailed: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.RequestAborted: HTTPStatus.CONFLICT,
    errors.FileMissing: HTTPStatus.NOT_FOUND,
    errors.FileError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.FetchError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ZygoteError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ManagerError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.ModelError: HTTPStatus.BAD_GATEWAY,
    errors.SessionFailed: HTTPStatus.BAD_GATEWAY,
    errors.RunCancelled: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.AnswerMismatch: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.BudgetExceeded: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.AgentError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The status of each error that is answered; the nearest base class counts."""


def status_of(error: errors.RLMKernelError) -> HTTPStatus:
    """The HTTP status that answers a request which `error` ended."""
    for kind in type(error).__mro__:
        if kind in STATUS_OF:
            return STATUS_OF[kind]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def fault_of(error: errors.RLMKernelError) -> Fault:
    """What crosses the wire of an error."""
    return Fault(code=error.code, message=str(error))


def retry_after_of(error: BaseException | None) -> str | None:
    """The header Retry-After of the answer, where it is known when to try again."""
    if isinstance(error, errors.TryLater) and error.retry_after is not None:
        return str(error.retry_after)
    return None


def body_of(error: errors.RLMKernelError) -> FaultBody:
    """The JSON body that answers a request which `error` ended."""
    return FaultBody(error=fault_of(error))


def error_of(fault: Fault) -> errors.RLMKernelError:
    """The error that the manager answered with; a code of a newer manager is a ManagerError."""
    return errors.error_class(fault.code, errors.ManagerError)(fault.message)
