"""The description of the HTTP interface, OpenAPI 3.1: made of the routes and the messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from tornado.web import RequestHandler

from rlm_kernel import __version__, errors
from rlm_kernel.manager import cell_events
from rlm_kernel.manager.faults import STATUS_OF
from rlm_kernel.manager.handlers.base import Handler
from rlm_kernel.manager.handlers.operation import Contents, Faults, Operation
from rlm_kernel.manager.wire import FaultBody

Routes = Iterable[tuple[str, type[RequestHandler]]]
Json = dict[str, Any]

ABOUT = (
    "Sessions of sandboxed Python, each a Jupyter kernel too. Bodies are read as JSON whatever "
    "their content type. Jupyter Server's own interface is under /api."
)
ALWAYS: Faults = (
    errors.BadRequest,
    errors.Unauthorized,
    errors.Forbidden,
    errors.RequestTooSlow,
    errors.BodyTooLarge,
    errors.TooManyTries,
    errors.HeadersTooLarge,
    errors.ManagerError,
    errors.TooManyConnections,
)
"""What any request may be answered with."""

_SEGMENTS = ((r"([^/]+)", "{session_id}"), (r"(|.*/)", "{folder}/"), (r"(.+)", "{path}"))
_PARAMETERS = {
    "session_id": "The id of a session, which is that of its kernel.",
    "folder": "A folder, relative to where the session's code runs, or absolute where it begins "
    "with a slash. It may hold slashes, and be empty.",
    "path": "A path, relative to where the session's code runs, or absolute where it begins with "
    "a slash. It may hold slashes.",
}
_REF = "#/components/schemas/{model}"


def describe(routes: Routes) -> Json:
    """The whole description, as JSON has it."""
    found = list(_operations(routes))
    paths: dict[str, Json] = {}
    for path, method, operation in found:
        paths.setdefault(path, {})[method.lower()] = _described(path, operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "rlm-kernel manager", "version": __version__, "description": ABOUT},
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas([operation for _, _, operation in found]),
        },
    }


def template(pattern: str) -> str:
    """A route's pattern as the description has it."""
    for group, name in _SEGMENTS:
        pattern = pattern.replace(group, name)
    return pattern


def _operations(routes: Routes) -> Iterator[tuple[str, str, Operation]]:
    for pattern, handler in routes:
        if issubclass(handler, Handler):
            for method, operation in handler.operations.items():
                yield template(pattern), method, operation


def _described(path: str, operation: Operation) -> Json:
    described: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [*_path_parameters(path), *_parameters(operation)],
        "responses": {
            **{str(status): _answer(status, each) for status, each in operation.answers.items()},
            **_faults((*ALWAYS, *operation.faults)),
        },
    }
    if operation.body:
        content = _content(operation.body)
        described["requestBody"] = {"required": operation.body_required, "content": content}
    return described


def _path_parameters(path: str) -> Iterator[Json]:
    for name in re.findall(r"\{(\w+)\}", path):
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PARAMETERS[name],
            "schema": {"type": "string"},
        }


def _parameters(operation: Operation) -> Iterator[Json]:
    for each in operation.parameters:
        yield {
            "name": each.name,
            "in": each.place,
            "description": each.description,
            "schema": dict(each.schema),
        }


def _answer(status: int, contents: Contents) -> Json:
    answer: Json = {"description": HTTPStatus(status).phrase}
    return answer | {"content": _content(contents)} if contents else answer


def _content(contents: Contents) -> Json:
    return {media: {"schema": _schema(media, model)} for media, model in contents.items()}


def _schema(media: str, model: type[BaseModel] | None) -> Json:
    if model is not None:
        return _reference(model)
    if media == cell_events.MEDIA_TYPE:
        events = {name: _reference(kind) for name, kind in cell_events.MESSAGE_OF.items()}
        return {"type": "string", "description": cell_events.ABOUT, "x-events": events}
    return {"type": "string"} if media.startswith("text/") else {}


def _reference(model: type[BaseModel]) -> Json:
    return {"$ref": _REF.format(model=model.__name__)}


def _faults(kinds: Faults) -> Json:
    """The answers to what goes wrong, by status, each with the codes that it may have."""
    codes: dict[int, list[str]] = {}
    for kind in kinds:
        codes.setdefault(_status(kind), []).append(kind.code)
    return {str(status): _fault(status, codes[status]) for status in sorted(codes)}


def _fault(status: int, codes: list[str]) -> Json:
    schema: Json = _reference(FaultBody)
    if status != HTTPStatus.INTERNAL_SERVER_ERROR:  # else whatever was not foreseen
        code = {"properties": {"code": {"enum": codes}}}
        schema = {"allOf": [schema, {"properties": {"error": code}}]}
    return {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(codes)}",
        "content": {"application/json": {"schema": schema}},
    }


def _status(kind: type[errors.RLMKernelError]) -> int:
    return next(STATUS_OF[each] for each in kind.__mro__ if each in STATUS_OF)


def _schemas(operations: list[Operation]) -> Json:
    taken = {model for each in operations for model in each.body.values() if model}
    given = {
        model
        for each in operations
        for contents in each.answers.values()
        for model in contents.values()
        if model
    }
    given |= {FaultBody, *cell_events.MESSAGE_OF.values()}
    modes = [
        *((model, "validation") for model in taken),
        *((model, "serialization") for model in given),
    ]
    modes.sort(key=lambda each: each[0].__name__)
    _, definitions = models_json_schema(modes, ref_template=_REF)  # type: ignore[arg-type]
    schemas: Mapping[str, Json] = definitions["$defs"]
    return dict(schemas)
