"""The tables of docs that are made from the code; `python -m tests.operations_tables` updates."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from rlm_kernel.agent.service.server import AgentServer
from rlm_kernel.manager import ManagerServer
from rlm_kernel.settings import ManagerSettings, ServiceSettings, Settings

DOCS = Path(__file__).parent.parent / "docs"
DOCUMENT = DOCS / "operations.md"
SERVICE = DOCS / "service.md"


def metrics_table(registry: CollectorRegistry) -> str:
    """Every metric that a server has, in the order in which they are exported."""
    rows = ["| metric | type | labels | |", "| --- | --- | --- | --- |"]
    for metric, labels in _metrics(registry):
        named = ", ".join(f"`{label}`" for label in labels)
        rows.append(f"| `{metric.name}` | {metric.type} | {named} | {metric.documentation} |")
    return "\n".join(rows)


def settings_table(kind: type[Settings]) -> str:
    rows = ["| variable | default | |", "| --- | --- | --- |"]
    for field in kind.model_fields.values():
        default = "" if field.default in (None, ()) else f"`{field.default}`"
        rows.append(f"| `{field.validation_alias}` | {default} | {field.description} |")
    return "\n".join(rows)


def with_tables(text: str) -> str:
    """docs/operations.md with the tables as they should be."""
    return _filled(text, asyncio.run(_of_manager()), settings_table(ManagerSettings))


def with_service_tables(text: str) -> str:
    """docs/service.md with the tables as they should be."""
    return _filled(text, asyncio.run(_of_agent()), settings_table(ServiceSettings))


def _filled(text: str, metrics: str, settings: str) -> str:
    for name, table in (("metrics", metrics), ("settings", settings)):
        text = re.sub(rf"(<!-- {name} -->\n).*?(<!-- end -->)", rf"\1{table}\n\2", text, flags=re.S)
    return text


async def _of_manager() -> str:
    settings = ManagerSettings.from_environment(host="127.0.0.1", port=0)
    async with ManagerServer(settings) as server:
        return metrics_table(server.metrics.registry)


async def _of_agent() -> str:
    settings = ServiceSettings.from_environment(host="127.0.0.1", port=0)
    async with AgentServer(settings) as server:
        return metrics_table(server.metrics.registry)


def _metrics(registry: CollectorRegistry) -> list[tuple[Any, tuple[str, ...]]]:
    return [
        (metric, tuple(getattr(collector, "_labelnames", ())))
        for collector in registry._collector_to_names
        for metric in collector.collect()
    ]


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text()))
    SERVICE.write_text(with_service_tables(SERVICE.read_text()))
