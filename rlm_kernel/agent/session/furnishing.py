"""What makes a session ready for a model: files that go into it, and the code that reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from rlm_kernel.agent.context import ContextFile

FOLDER = "/tmp/rlm"
"""Of the session, for what the agent brings."""


@dataclass(frozen=True, slots=True)
class Furnishing:
    """`files` by their paths in the session, then `code`."""

    files: Mapping[str, ContextFile]
    code: str

    @classmethod
    def of(
        cls,
        context: ContextFile | None,
        names: Sequence[str],
        history: ContextFile | None,
        offered: Mapping[str, Any],
    ) -> Self:
        """The context by all of `names`, and the variable `history`, where there are such.

        `offered` is what `install` of `rlm_kernel.guest.rlm` takes beside files.
        """
        named = ((context, tuple(names)), (history, ("history",)))
        # A folder of files stays where it is, so each context has a path of its own.
        files = [(f"{FOLDER}/{given[-1]}", file, given) for file, given in named if file]
        read = [(path, file.form, given) for path, file, given in files]
        arguments = "".join(f", {name}={value!r}" for name, value in offered.items())
        code = (
            "from rlm_kernel.guest import rlm as _setup\n"
            f"_setup.install(get_ipython(), {read!r}{arguments})"
        )
        return cls({path: file for path, file, _ in files}, code)
