"""Settings as command-line options, so that neither says anything twice."""

from __future__ import annotations

import argparse
from typing import Any, TypeVar

from rlm_kernel.settings import Settings

AnySettings = TypeVar("AnySettings", bound=Settings)


def add_settings(parser: argparse.ArgumentParser, kind: type[Settings], *names: str) -> None:
    """Declare one option for each named setting; what is not given comes from the environment.

    The option of a setting that has several values may be given several times.
    """
    for name in names:
        field = kind.model_fields[name]
        variable = str(field.validation_alias)
        text = f"{field.description} (${variable}{_default(field.default)})"
        option = f"--{name.replace('_', '-')}"
        if field.default is False:
            parser.add_argument(option, action="store_true", default=None, help=text)
            continue
        parser.add_argument(
            option,
            action="append" if isinstance(field.default, tuple) else "store",
            metavar=variable.removeprefix("RLM_KERNEL_"),
            help=text,
        )


def read_settings(kind: type[AnySettings], arguments: argparse.Namespace) -> AnySettings:
    """The settings of the environment with the options on top. Raises ConfigurationError."""
    given = {name: getattr(arguments, name, None) for name in kind.model_fields}
    return kind.from_environment(**given)


def _default(value: Any) -> str:
    return "" if value in (None, (), False) else f", default {value}"
