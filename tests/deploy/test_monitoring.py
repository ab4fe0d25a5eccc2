"""Alerts, dashboard and scaling name metrics and labels that are really there."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from functools import cache

import promql_parser
import pytest

from rlm_kernel.agent.service.application import ROUTES
from rlm_kernel.agent.service.server import AgentServer
from rlm_kernel.settings import ServiceSettings
from tests.deploy.rendered import ROOT, Manifest, every_mapping, of_kind, the

PRODUCTION = "overlays/production"
EXTRA_LABELS = {"_bucket": ("le",)}
ADDED_BY_THE_SCRAPE = {"namespace", "pod", "job", "instance", "container", "process"}
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


async def of_the_agent() -> list[tuple[str, str, set[str]]]:
    """Name, kind and labels of each metric."""
    settings = ServiceSettings.from_environment(port=0, model="openai/none")
    async with AgentServer(settings) as server:
        collectors = server.metrics.registry._collector_to_names
        return [
            (metric.name, metric.type, set(getattr(collector, "_labelnames", ())))
            for collector in collectors
            for metric in collector.collect()
        ]


def of_the_manager() -> list[tuple[str, str, set[str]]]:
    """The same, from docs/operations.md, whose tables have a test."""
    text = (ROOT / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| `(rlm_\w+)` \| (\w+) \| ([^|]*) \|", text, re.MULTILINE)
    return [(name, kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows]


@cache
def declared() -> dict[str, set[str]]:
    """The labels of every series."""
    return {
        f"{name}{suffix}": {*labels, *EXTRA_LABELS.get(suffix, ())}
        for name, kind, labels in (*of_the_manager(), *asyncio.run(of_the_agent()))
        for suffix in SUFFIXES[kind]
    }


def rules() -> list[Manifest]:
    (manifest,) = of_kind(PRODUCTION, "PrometheusRule")
    return [rule for group in manifest["spec"]["groups"] for rule in group["rules"]]


def dashboard() -> Manifest:
    return dict(
        json.loads(the(PRODUCTION, "ConfigMap", "rlm-dashboard")["data"]["rlm-kernel.json"])
    )


def panel_queries() -> Iterator[str]:
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield re.sub(r"\$__rate_interval", "5m", target["expr"])


def check(expression: str) -> set[str]:
    """The metrics of an expression, which all have the labels that it asks them for."""
    series = declared()
    found: set[str] = set()
    grouped: set[str] = set()

    def visit(node: object) -> None:
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            grouped.update(node.modifier.labels)
        if isinstance(node, promql_parser.VectorSelector):
            assert node.name in series, f"there is no metric {node.name}"
            found.add(node.name)
            for matcher in node.matchers.matchers:
                assert matcher.name in series[node.name] | ADDED_BY_THE_SCRAPE, (
                    f"{node.name} has no label {matcher.name}"
                )

    promql_parser.walk(promql_parser.parse(expression), visit)
    available = set[str]().union(*(series[name] for name in found)) | ADDED_BY_THE_SCRAPE
    assert grouped <= available, grouped - available
    return found


def test_the_document_declares_metrics() -> None:
    series = declared()
    assert series["rlm_kernel_executions_total"] == {"status"}
    assert series["rlm_kernel_execution_seconds_bucket"] == {"le"}
    assert series["rlm_kernel_sessions"] == set()
    assert series["rlm_kernel_agent_runs_total"] == {"outcome"}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_alerts_ask_for_what_is_there_and_say_what_it_means(rule: Manifest) -> None:
    assert check(rule["expr"])
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "description"}
    grouped = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    assert grouped <= ADDED_BY_THE_SCRAPE | set(re.findall(r"\w+", rule["expr"]))


def test_a_metric_or_a_label_that_is_not_there_is_noticed() -> None:
    with pytest.raises(AssertionError, match="there is no metric rlm_kernel_sessionz"):
        check("rlm_kernel_sessionz > 1")
    with pytest.raises(AssertionError, match="has no label cause"):
        check('rlm_kernel_executions_total{cause="x"}')
    with pytest.raises(AssertionError):
        check("sum by (reason) (rlm_kernel_sessions)")


def test_the_dashboard_asks_for_what_is_there() -> None:
    queries = list(panel_queries())
    assert len(queries) > 20
    found = set[str]().union(*(check(query) for query in queries))
    assert len(found) > 15


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    board = dashboard()
    assert board["uid"] == board["title"] == "rlm-kernel"
    identities = [panel["id"] for panel in board["panels"]]
    assert len(identities) == len(set(identities))
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
    variables = {each["name"] for each in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(board["panels"]))) - {"__rate_interval"}
    assert used <= variables
    config = the(PRODUCTION, "ConfigMap", "rlm-dashboard")
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_pods_are_scaled_by_a_metric_that_is_there() -> None:
    (scaler,) = of_kind(PRODUCTION, "HorizontalPodAutoscaler")
    (metric,) = scaler["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] in declared()


def test_prometheus_is_sent_to_a_port_of_the_service() -> None:
    (monitor,) = of_kind(PRODUCTION, "ServiceMonitor")
    (service,) = of_kind(PRODUCTION, "Service")
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert (
        monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    )
    routes = [re.compile(pattern) for pattern, _ in ROUTES]
    processes = set()
    for endpoint in monitor["spec"]["endpoints"]:
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        assert any(route.fullmatch(endpoint["path"]) for route in routes)
        assert seconds(endpoint["scrapeTimeout"]) <= seconds(endpoint["interval"])
        (relabelling,) = endpoint["relabelings"]
        processes.add(relabelling["replacement"])
    assert processes == {"agent", "manager"}


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_prometheus_operators_fields_are_spelt_right() -> None:
    known = {"alert", "expr", "for", "labels", "annotations"}
    for rule in rules():
        assert set(rule) <= known
        assert re.fullmatch(r"\d+m", rule.get("for", "1m"))
    (monitor,) = of_kind(PRODUCTION, "ServiceMonitor")
    for mapping in every_mapping(monitor["spec"]["endpoints"]):
        assert set(mapping) <= {
            *("port", "path", "interval", "scrapeTimeout", "authorization", "credentials"),
            *("type", "name", "key", "relabelings", "targetLabel", "replacement"),
        }
