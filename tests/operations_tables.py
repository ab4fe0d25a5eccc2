"""The tables of docs/operations.md, from the code; `python -m tests.operations_tables` updates."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from rlm_kernel.manager import ManagerServer
from rlm_kernel.settings import ManagerSettings

DOCUMENT = Path(__file__).parent.parent / "docs" / "operations.md"


def metrics_table() -> str:
    """Every metric that a manager has, in the order in which they are exported."""
    rows = ["| metric | type | labels | |", "| --- | --- | --- | --- |"]
    for metric, labels in asyncio.run(_metrics()):
        named = ", ".join(f"`{label}`" for label in labels)
        rows.append(f"| `{metric.name}` | {metric.type} | {named} | {metric.documentation} |")
    return "\n".join(rows)


def settings_table() -> str:
    rows = ["| variable | default | |", "| --- | --- | --- |"]
    for field in ManagerSettings.model_fields.values():
        default = "" if field.default in (None, ()) else f"`{field.default}`"
        rows.append(f"| `{field.validation_alias}` | {default} | {field.description} |")
    return "\n".join(rows)


def with_tables(text: str) -> str:
    """The document with the tables as they should be."""
    for name, table in (("metrics", metrics_table()), ("settings", settings_table())):
        text = re.sub(rf"(<!-- {name} -->\n).*?(<!-- end -->)", rf"\1{table}\n\2", text, flags=re.S)
    return text


async def _metrics() -> list[tuple[Any, tuple[str, ...]]]:
    settings = ManagerSettings.from_environment(host="127.0.0.1", port=0)
    async with ManagerServer(settings) as server:
        collectors = server.metrics.registry._collector_to_names
        return [
            (metric, tuple(getattr(collector, "_labelnames", ())))
            for collector in collectors
            for metric in collector.collect()
        ]


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text()))
