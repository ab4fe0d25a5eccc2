"""The session's history as a notebook file, for `%notebook`: IPython's own needs nbformat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

STREAMS = {"out_stream": "stdout", "err_stream": "stderr"}


def export(history: Any, file: Path) -> None:
    """Writes the cells that have run, without the one that runs, and the outputs that IPython
    keeps of them, in nbformat 4.5."""
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
    kept = history.outputs.get(count, [])
    outputs = [_output(output.output_type, output.bundle, count) for output in kept]
    if count in history.exceptions:
        outputs.append({"output_type": "error", **history.exceptions[count]})
    return outputs


def _output(kind: str, bundle: dict[str, Any], count: int) -> dict[str, Any]:
    if kind in STREAMS:
        text = "".join("".join(part) for part in bundle.values())
        return {"output_type": "stream", "name": STREAMS[kind], "text": text}
    output = {"output_type": kind, "data": bundle, "metadata": {}}
    return output | ({"execution_count": count} if kind == "execute_result" else {})
