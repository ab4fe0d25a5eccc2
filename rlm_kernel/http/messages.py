"""The JSON that crosses HTTP, whichever server of ours it is from."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticSerializationError, to_jsonable_python


class Wire(BaseModel):
    """A message; what it holds does not change."""

    model_config = ConfigDict(frozen=True)


def as_json(message: BaseModel, *, exclude_none: bool = False) -> bytes:
    """The JSON of a message, on one line. What neither it nor UTF-8 has is null, or `?`."""
    try:
        return message.model_dump_json(exclude_none=exclude_none).encode()
    except PydanticSerializationError:
        # Code may print half a surrogate pair, or display what is nested too deep for pydantic.
        content = message.model_dump(exclude_none=exclude_none)
        text = json.dumps(content, default=partial(to_jsonable_python, bytes_mode="base64"))
        plain = json.loads(text, parse_constant=lambda _: None)
        return json.dumps(plain, ensure_ascii=False).encode(errors="replace")


class Description(Wire):
    """An OpenAPI document."""

    openapi: str
    info: dict[str, Any]
    security: list[dict[str, Any]]
    paths: dict[str, Any]
    components: dict[str, Any]


class Fault(Wire):
    """What went wrong: a stable code for programs and a sentence for people."""

    code: str
    message: str


class FaultBody(Wire):
    """Body of every answer with a status of 400 or more."""

    error: Fault
