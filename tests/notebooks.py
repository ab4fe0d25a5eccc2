"""Notebooks made of the sources of their cells."""

from __future__ import annotations

import json
from typing import Any

import nbformat


def new_notebook(*sources: str, failing: int | None = None) -> Any:
    """A notebook of code cells, of which one may be meant to fail: the one numbered `failing`."""
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "source": source,
            "metadata": {"tags": ["raises-exception"]} if number == failing else {},
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate(sources)
    ]
    metadata = {"language_info": {"name": "python"}}  # as every saved one has, and papermill asks
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return nbformat.reads(json.dumps(notebook), as_version=4)  # type: ignore[no-untyped-call]
