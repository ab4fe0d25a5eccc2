"""Display of values: results and display data become events."""

from __future__ import annotations

from typing import Any, ClassVar

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher

from rlm_kernel.guest.events import Events


class ResultHook(DisplayHook):
    """The value of a cell's last expression: an `execute_result` event."""

    events: ClassVar[Events]
    shell: Any
    exec_result: Any = None
    """A plain attribute, as each cell sets it: traits check, compare and announce that."""

    def compute_format_data(self, result: object) -> tuple[dict[str, Any], dict[str, Any]]:
        """The value's representations; the shell learns of one that failed, as its error."""
        self.shell.last_error = None
        formatted: tuple[dict[str, Any], dict[str, Any]] = super().compute_format_data(result)
        self.shell.result_error = self.shell.last_error
        return formatted

    def write_output_prompt(self) -> None:
        """The prompt is drawn by whoever shows the result."""

    def write_format_data(
        self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None
    ) -> None:
        if format_dict:
            content = {"data": format_dict, "metadata": md_dict or {}}
            self.events.emit("execute_result", {"execution_count": self.prompt_count, **content})

    def finish_displayhook(self) -> None:
        """Nothing is left to flush."""
        self._is_active = False


class EventPublisher(DisplayPublisher):
    """`display(...)` and `clear_output(...)`."""

    events: ClassVar[Events]

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        source: object = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **_unused: Any,
    ) -> None:
        content = {"data": data, "metadata": metadata or {}, "transient": transient or {}}
        self.events.emit("update_display_data" if update else "display_data", content)

    def clear_output(self, wait: bool = False) -> None:
        self.events.emit("clear_output", {"wait": bool(wait)})
