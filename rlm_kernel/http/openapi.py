"""The description of the HTTP interface, OpenAPI 3.1: made of the routes and the messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from tornado.web import RequestHandler

from rlm_kernel import __version__, errors
from rlm_kernel.http.events import EventMessages
from rlm_kernel.http.faults import STATUS_OF
from rlm_kernel.http.handler import Handler
from rlm_kernel.http.messages import FaultBody
from rlm_kernel.http.operation import Content, Contents, Faults, Operation

Routes = Iterable[tuple[str, type[RequestHandler]]]
Json = dict[str, Any]

ALWAYS: Faults = (
    errors.BadRequest,
    errors.Unauthorized,
    errors.Forbidden,
    errors.RequestTooSlow,
    errors.BodyTooLarge,
    errors.TooManyTries,
    errors.HeadersTooLarge,
    errors.TooManyConnections,
)
"""What any request may be answered with."""

_REF = "#/components/schemas/{model}"


@dataclass(frozen=True, slots=True)
class Interface:
    """What a description says that the routes do not.

    `segments` are the groups of the routes' patterns with what stands for each in a path, and
    `parameters` tell what those are. `failure` is the error that nobody foresaw.
    """

    title: str
    about: str
    segments: tuple[tuple[str, str], ...]
    parameters: Mapping[str, str]
    failure: type[errors.RLMKernelError]

    def template(self, pattern: str) -> str:
        """A route's pattern as the description has it."""
        for group, name in self.segments:
            pattern = pattern.replace(group, name)
        return pattern

    def describe(self, routes: Routes) -> Json:
        """The whole description, as JSON has it."""
        found = list(self._operations(routes))
        paths: dict[str, Json] = {}
        for path, method, operation in found:
            paths.setdefault(path, {})[method.lower()] = self._described(path, operation)
        return {
            "openapi": "3.1.0",
            "info": {"title": self.title, "version": __version__, "description": self.about},
            "security": [{}, {"token": []}],
            "paths": paths,
            "components": {
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
                "schemas": _schemas([operation for _, _, operation in found]),
            },
        }

    def _operations(self, routes: Routes) -> Iterator[tuple[str, str, Operation]]:
        for pattern, handler in routes:
            if issubclass(handler, Handler):
                for method, operation in handler.operations.items():
                    yield self.template(pattern), method, operation

    def _described(self, path: str, operation: Operation) -> Json:
        described: Json = {
            "operationId": operation.name,
            "summary": operation.summary,
            "parameters": [*self._path_parameters(path), *_parameters(operation)],
            "responses": {
                **_answers(operation),
                **_faults((*ALWAYS, self.failure, *operation.faults), operation.fault_body),
            },
        }
        if operation.body:
            content = _content(operation.body)
            described["requestBody"] = {"required": operation.body_required, "content": content}
        return described

    def _path_parameters(self, path: str) -> Iterator[Json]:
        for name in re.findall(r"\{(\w+)\}", path):
            yield {
                "name": name,
                "in": "path",
                "required": True,
                "description": self.parameters[name],
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


def _answers(operation: Operation) -> Json:
    return {str(status): _answer(status, each) for status, each in operation.answers.items()}


def _answer(status: int, contents: Contents) -> Json:
    answer: Json = {"description": HTTPStatus(status).phrase}
    return answer | {"content": _content(contents)} if contents else answer


def _content(contents: Contents) -> Json:
    return {media: {"schema": _schema(media, content)} for media, content in contents.items()}


def _schema(media: str, content: Content) -> Json:
    if isinstance(content, EventMessages):
        events = {name: _reference(kind) for name, kind in content.message_of.items()}
        return {"type": "string", "description": content.about, "x-events": events}
    if content is not None:
        return _reference(content)
    return {"type": "string"} if media.startswith("text/") else {}


def _reference(model: type[BaseModel]) -> Json:
    return {"$ref": _REF.format(model=model.__name__)}


def _faults(kinds: Faults, body: type[BaseModel] | None) -> Json:
    """The answers to what goes wrong, by status, each with the codes that it may have."""
    codes: dict[int, list[str]] = {}
    for kind in kinds:
        codes.setdefault(_status(kind), []).append(kind.code)
    return {str(status): _fault(status, codes[status], body) for status in sorted(codes)}


def _fault(status: int, codes: list[str], body: type[BaseModel] | None) -> Json:
    schema: Json = _reference(FaultBody)
    if body is not None:
        schema = {"anyOf": [schema, _reference(body)]}
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
    taken = {model for each in operations for model in _messages(each.body)}
    given = {
        model
        for each in operations
        for contents in each.answers.values()
        for model in _messages(contents)
    }
    given |= {FaultBody, *(each.fault_body for each in operations if each.fault_body)}
    modes = [
        *((model, "validation") for model in taken),
        *((model, "serialization") for model in given),
    ]
    modes.sort(key=lambda each: each[0].__name__)
    _, definitions = models_json_schema(modes, ref_template=_REF)  # type: ignore[arg-type]
    schemas: Mapping[str, Json] = definitions["$defs"]
    return dict(schemas)


def _messages(contents: Contents) -> Iterator[type[BaseModel]]:
    for content in contents.values():
        if isinstance(content, EventMessages):
            yield from content.message_of.values()
        elif content is not None:
            yield content
