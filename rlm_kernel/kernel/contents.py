"""The contents of the requests that the kernel itself reads, and of the errors it answers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from rlm_kernel.kernel.message import Content


class RequestContent(BaseModel):
    """What a client sends. Keys of newer protocols are let through unread."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class ExecuteContent(RequestContent):
    """The content of an `execute_request`. A client that does not say so answers no questions."""

    code: str
    silent: bool = False
    store_history: bool = True
    user_expressions: dict[str, Any] | None = None
    allow_stdin: bool = False
    stop_on_error: bool = True


class InputContent(RequestContent):
    """The content of an `input_reply`."""

    value: str


class ShutdownContent(RequestContent):
    """The content of a `shutdown_request`."""

    restart: bool = False


def error_content(ename: str, evalue: str, traceback: list[str] | None = None) -> Content:
    """The content of a reply that tells of an error; `ename` is a bare class name."""
    return {
        "status": "error",
        "ename": ename,
        "evalue": evalue,
        "traceback": [f"{ename}: {evalue}"] if traceback is None else traceback,
    }


def malformed_content(error: ValidationError) -> Content:
    """The answer to a request whose content is not of the protocol's form."""
    return error_content("MalformedRequest", problems(error))


def problems(error: ValidationError) -> str:
    """What is wrong with each field, without what was given."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'content'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)
    )
