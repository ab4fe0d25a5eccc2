"""The session's history as a notebook file, for `%notebook`: IPython's own needs nbformat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def export(history: Any, file: Path) -> None:
    """Writes the cells that have run, without the one that runs, in nbformat 4.5.

    Of their outputs there are the results and the errors: what was printed is not kept.
    """
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{count}",
            "metadata": {},
            "execution_count": count,
            "source": source,
            "outputs": _outputs(history, count),
        }
        for _session, count, source in list(history.get_range())[:-1]
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    file.write_text(json.dumps(notebook, indent=1, ensure_ascii=False, default=repr) + "\n")


def _outputs(history: Any, count: int) -> list[dict[str, Any]]:
    outputs = [
        {
            "output_type": output.output_type,
            "data": output.bundle,
            "metadata": {},
            "execution_count": count,
        }
        for output in history.outputs.get(count, [])
    ]
    if count in history.exceptions:
        outputs.append({"output_type": "error", **history.exceptions[count]})
    return outputs
