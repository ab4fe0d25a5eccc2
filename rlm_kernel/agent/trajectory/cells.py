"""Cells of a notebook, as nbformat 4.5 has them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Attachments = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. Attachments are for markdown, outputs for code."""

    kind: Literal["code", "markdown"]
    source: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    attachments: Attachments = field(default_factory=dict)
    outputs: tuple[Mapping[str, Any], ...] = ()
    execution_count: int | None = None

    def as_dict(self, number: int) -> dict[str, Any]:
        """The cell, whose id is told by its place and its text: the same in each export."""
        digest = hashlib.sha256(self.source.encode("utf-8", "surrogatepass")).hexdigest()
        cell: dict[str, Any] = {
            "id": f"{number}-{digest[:12]}",
            "cell_type": self.kind,
            "metadata": dict(self.metadata),
            "source": self.source,
        }
        if self.attachments:
            cell["attachments"] = self.attachments
        if self.kind == "code":
            cell["execution_count"] = self.execution_count
            cell["outputs"] = [_whole(output) for output in self.outputs]
        return cell


class Cells:
    """The cells of a notebook that is being written."""

    def __init__(self) -> None:
        self._cells: list[Cell] = []

    def add(self, cell: Cell) -> None:
        """Append a cell."""
        self._cells.append(cell)

    def markdown(self, source: str, attachments: Attachments | None = None) -> None:
        """Append text."""
        self.add(Cell("markdown", source, attachments=attachments or {}))

    def code(self, source: str, outputs: Iterable[Mapping[str, Any]] = ()) -> None:
        """Append code that was not in the run."""
        self.add(Cell("code", source, outputs=tuple(outputs)))

    def as_list(self) -> list[dict[str, Any]]:
        """The cells as nbformat has them."""
        return [cell.as_dict(number) for number, cell in enumerate(self._cells, 1)]


def _whole(output: Mapping[str, Any]) -> dict[str, Any]:
    """A result has a number, also where the record has none."""
    if output["output_type"] == "execute_result":
        return {"execution_count": None, **output}
    return dict(output)
