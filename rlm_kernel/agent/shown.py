"""What a cell showed, as text that also knows its parts."""

from __future__ import annotations

from typing import Self

from rlm_kernel.manager.wire import CellError, ExecutionResult


class ShownText(str):
    """What a person would have seen under the cell: its output, then its result or its error.

    It is a str, so that `print(f"Result: {result}")` shows 84 for the cell `x * 2`. `result` is
    the text of the last expression's value (None where there is none), `error` what ended the
    cell (`ename`, `evalue`, `traceback`), `state` what became of the session's variables (`kept`,
    `rolled_back`, `lost`), `execution` all of it as the manager sent it.
    """

    execution: ExecutionResult

    @classmethod
    def of(cls, execution: ExecutionResult) -> Self:
        """The text of an execution."""
        parts = [execution.stdout, execution.stderr, *(_shown(each) for each in execution.display)]
        if execution.result is not None:
            parts.append(execution.result)
        if execution.error is not None:
            parts.append(f"{execution.error.ename}: {execution.error.evalue}")
        shown = cls("\n".join(part.rstrip("\n") for part in parts if part))
        shown.execution = execution
        return shown

    @property
    def ok(self) -> bool:
        """Whether the cell ran to its end."""
        return self.execution.status == "ok"

    @property
    def status(self) -> str:
        """`ok`, `error` or `timeout`."""
        return self.execution.status

    @property
    def stdout(self) -> str:
        """What the cell printed."""
        return self.execution.stdout

    @property
    def stderr(self) -> str:
        """What the cell wrote to stderr."""
        return self.execution.stderr

    @property
    def result(self) -> str | None:
        """The text of the last expression's value."""
        return self.execution.result

    @property
    def error(self) -> CellError | None:
        """The exception that ended the cell."""
        return self.execution.error

    @property
    def state(self) -> str:
        """What became of the session's variables."""
        return self.execution.state


def _shown(bundle: dict[str, object]) -> str:
    return str(bundle.get("text/plain", f"<{', '.join(bundle)}>"))
