"""Variables that a session is given: each goes in once, as a file, and again when it changes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rlm_kernel.agent.context import ContextFile, pack_value
from rlm_kernel.errors import ConfigurationError

_FOLDER = "/tmp/rlm/variables"


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable on its way into a session, where `guest.adapter` takes it from its file."""

    name: str
    file: ContextFile
    digest: str

    @classmethod
    def of(cls, name: str, value: object) -> Variable:
        """Plain data as it is, all else (models, dates) as JSON has it.

        Raises ConfigurationError for what is neither.
        """
        file = _packed(name, value)
        digest = hashlib.blake2b()
        for piece in file.pieces():
            digest.update(piece)
        return cls(name, file, f"{file.form} {digest.hexdigest()}")

    @property
    def path(self) -> str:
        """Where its file is in the session."""
        return f"{_FOLDER}/{self.name}"

    def assignment(self, *, fixed: bool = False) -> str:
        """The code that sets it; `fixed` has it keep its value whatever cells do to its name."""
        arguments = ", ".join(map(repr, (self.name, self.path, self.file.form, self.digest)))
        return f"_rlm.assign({arguments}, {fixed=})"


class GivenVariables:
    """Which variables a session has been given, and with which values."""

    def __init__(self) -> None:
        self._digests: dict[str, str] = {}
        self._texts: dict[str, str | bytes] = {}

    def changed(self, variables: Mapping[str, Any]) -> list[Variable]:
        """Those that the session does not have, or not with this value.

        Raises ConfigurationError.
        """
        found = [
            Variable.of(name, value)
            for name, value in variables.items()
            # Texts cannot change: the same one, of 100 MB maybe, is not looked through again.
            if self._texts.get(name) is not value or value is None
        ]
        return [each for each in found if self._digests.get(each.name) != each.digest]

    def given(self, changed: list[Variable], variables: Mapping[str, Any]) -> None:
        """The session has them now."""
        self._digests |= {each.name: each.digest for each in changed}
        for name, value in variables.items():
            if type(value) in (str, bytes):
                self._texts[name] = value
            else:
                self._texts.pop(name, None)

    def forget(self) -> None:
        """Nothing is known of the session any more."""
        self._digests.clear()
        self._texts.clear()


def _packed(name: str, value: object) -> ContextFile:
    from pydantic_core import to_jsonable_python

    try:
        return pack_value(value)
    except ConfigurationError:
        pass
    try:
        return pack_value(to_jsonable_python(value))
    except (ValueError, ConfigurationError) as error:
        kind = type(value).__name__
        raise ConfigurationError(f"{name!r}, of type {kind}, cannot go in: {error}") from error
