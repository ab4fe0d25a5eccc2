"""What an answer has to be: a type that pydantic knows, or a JSON schema."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from rlm_kernel.agent.bounded_schema import BoundedSchema
from rlm_kernel.agent.environment import Answer
from rlm_kernel.errors import AnswerMismatch, ConfigurationError

_PROBLEMS = 10
_INPUT = 80


class AnswerType:
    """Reads answers; `schema` is the JSON schema of them, for a model to see.

    `read_json` gives the value of a JSON text, or raises AnswerMismatch.
    """

    def __init__(self, schema: Mapping[str, Any], read_json: Callable[[str], Any]) -> None:
        self.schema = schema
        self._read_json = read_json

    @classmethod
    def of(cls, kind: Any) -> Self:
        """`kind` is a dict that is a JSON schema, or what pydantic's TypeAdapter takes.

        Raises ConfigurationError for anything else, and for a schema that refers to others.
        """
        return cls._of_schema(kind) if isinstance(kind, dict) else cls._of_type(kind)

    def read(self, answer: Answer) -> Any:
        """The value of an answer. Raises AnswerMismatch that says what does not fit.

        A text that does not fit as it stands may also be the JSON, or the Python literal, of one
        that does.
        """
        if answer.problem is not None:
            raise AnswerMismatch(answer.problem)
        if answer.json is not None:
            return self._read_json(answer.json)
        try:
            return self._read_json(json.dumps(answer.text))
        except AnswerMismatch as mismatch:
            within = _value_within(answer.text)
            if within is None:
                raise mismatch
        return self._read_json(within)

    @classmethod
    def _of_type(cls, kind: Any) -> Self:
        try:
            adapter = TypeAdapter[Any](kind)
            schema = adapter.json_schema()
        except (PydanticUserError, TypeError) as error:
            raise ConfigurationError(f"answers cannot be of type {kind!r}: {error}") from error

        def read_json(text: str) -> Any:
            try:
                return adapter.validate_json(text)
            except ValidationError as error:
                problems = error.errors(include_url=False, include_context=False)
                raise _mismatch(
                    (each["loc"], each["msg"], each["input"]) for each in problems
                ) from None

        return cls(schema, read_json)

    @classmethod
    def _of_schema(cls, schema: dict[str, Any]) -> Self:
        import jsonschema  # type: ignore[import-untyped]
        from referencing.exceptions import Unresolvable

        try:
            kind = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
            kind.check_schema(schema)
        except jsonschema.SchemaError as error:
            raise ConfigurationError(f"this is no JSON schema: {error.message}") from error
        if outside := next(_outside_references(schema), None):
            raise ConfigurationError(f"the JSON schema refers to {outside!r}: nothing is fetched")
        bounded = BoundedSchema(kind, schema)

        def problems_of(value: Any) -> list[Any]:
            try:
                return bounded.problems(value)
            except Unresolvable as error:
                raise ConfigurationError(
                    f"the JSON schema lacks what it refers to: {error}"
                ) from None

        try:
            problems_of(None)
        except RecursionError:
            raise ConfigurationError("the JSON schema refers to itself without an end") from None

        def read_json(text: str) -> Any:
            try:
                value = json.loads(text)
                problems = problems_of(value)
            except (ValueError, RecursionError) as error:
                raise AnswerMismatch(f"- the JSON cannot be read: {error}") from None
            if problems:
                raise _mismatch((each.path, each.message, None) for each in problems)
            return value

        return cls(schema, read_json)


def _mismatch(problems: Any) -> AnswerMismatch:
    listed = list(problems)
    lines = [_line(tuple(place), message, given) for place, message, given in listed[:_PROBLEMS]]
    if len(listed) > _PROBLEMS:
        lines.append(f"and {len(listed) - _PROBLEMS} more")
    return AnswerMismatch("\n".join(lines))


def _line(place: tuple[Any, ...], message: str, given: Any) -> str:
    where = "".join(f"[{part!r}]" for part in place)
    got = "" if given is None else f", not {repr(given)[:_INPUT]}"
    return f"- {f'at {where}: ' if where else ''}{message}{got}"


def _value_within(text: str) -> str | None:
    """The JSON of the value that a text is the JSON or the Python literal of."""
    try:
        return json.dumps(json.loads(text))
    except (ValueError, RecursionError):
        pass
    try:
        return json.dumps(ast.literal_eval(text.strip()))
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None


def _outside_references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        reference = schema.get("$ref", schema.get("$dynamicRef"))
        if isinstance(reference, str) and not reference.startswith("#"):
            yield reference
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, dict | list):
            yield from _outside_references(part)
