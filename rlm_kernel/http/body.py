"""The body of a request as the message that it holds."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from rlm_kernel.errors import BadRequest

Message = TypeVar("Message", bound=BaseModel)


def read_body(message: type[Message], body: bytes | bytearray) -> Message:
    """The message that a body holds. Raises BadRequest.

    The body is JSON whatever its content type says: curl -d calls everything a form.
    """
    try:
        return message.model_validate_json(bytes(body))
    except ValidationError as error:
        raise BadRequest(explain(error)) from error


def explain(error: ValidationError) -> str:
    """What is wrong with a message, in one line, without what it holds."""
    problems = error.errors(include_url=False, include_input=False)
    return "; ".join(
        ": ".join([*(str(part) for part in problem["loc"]), problem["msg"]]) for problem in problems
    )
