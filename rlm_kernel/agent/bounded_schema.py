"""JSON schemas whose checks end soon, whoever wrote the schema and whatever is checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from pydantic_core import SchemaError, SchemaValidator, core_schema

from rlm_kernel.errors import ConfigurationError

MOST_REFERENCES = 50_000
"""How many times one check may follow a `$ref`: twice each time, thirty deep, is a billion."""

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


class BoundedSchema:
    """A JSON schema that can be checked; patterns are matched in linear time, as Rust has them.

    Raises ConfigurationError for patterns that need more, and for what is not done here.
    """

    def __init__(self, kind: Any, schema: dict[str, Any]) -> None:
        """`kind` is the library's validator for the schema's draft."""
        import jsonschema  # type: ignore[import-untyped]
        from referencing import Registry

        # A `$schema` further on would have the library go on with a validator of its own.
        plain = {name: part for name, part in schema.items() if name != "$schema"}
        _refuse_what_has_no_bound(plain)
        found = [name for name in _REFERENCES if name in kind.VALIDATORS]
        checks = {name: self._counted(kind.VALIDATORS[name]) for name in found}
        bounded = jsonschema.validators.extend(kind, {**checks, "pattern": _check_pattern})
        # Without a registry of its own, the library fetches what a schema refers to.
        self._validator = bounded(plain, registry=Registry())
        self._left = 0

    def problems(self, value: Any) -> list[Any]:
        """What does not fit. Raises RecursionError where there is no end to it."""
        self._left = MOST_REFERENCES
        return sorted(self._validator.iter_errors(value), key=lambda each: str(each.path))

    def _counted(self, follow: Callable[..., Any]) -> Callable[..., Any]:
        def follow_one_more(*given: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                raise RecursionError("too many references")
            return follow(*given)

        return follow_one_more


def _check_pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(value, str) and not _matcher(pattern).isinstance_python(value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


@lru_cache(maxsize=256)
def _matcher(pattern: str) -> SchemaValidator:
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError as error:
        raise ConfigurationError(f"the pattern {pattern!r} is not one of Rust's regex") from error


def _refuse_what_has_no_bound(part: Any) -> None:
    if isinstance(part, dict):
        for name in ("$schema", "patternProperties"):
            if name in part:
                raise ConfigurationError(f"the JSON schema has {name!r}, which is not done here")
        if isinstance(pattern := part.get("pattern"), str):
            _matcher(pattern)
    for inner in part.values() if isinstance(part, dict) else part:
        if isinstance(inner, dict | list):
            _refuse_what_has_no_bound(inner)
