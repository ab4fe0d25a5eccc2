"""docs/service.md says what is so."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from rlm_kernel.agent import RunOptions
from rlm_kernel.agent.ledger.budget import Budget
from rlm_kernel.agent.service.application import ROUTES
from rlm_kernel.agent.service.handlers.base import OF_RUNS
from rlm_kernel.agent.service.interface import INTERFACE
from rlm_kernel.agent.service.models import Models
from rlm_kernel.agent.service.question import Questions
from rlm_kernel.agent.service.wire import InferRequest
from rlm_kernel.http.faults import status_of
from rlm_kernel.settings import ServiceSettings
from tests.operations_tables import SERVICE, with_service_tables

TEXT = SERVICE.read_text()


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in ServiceSettings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)


def test_the_tables_of_metrics_and_settings_are_those_of_the_code() -> None:
    assert with_service_tables(TEXT) == TEXT, "run python -m tests.operations_tables"
    assert TEXT.count("\n| `rlm_kernel_agent_") > 15


def test_the_settings_that_it_names_exist() -> None:
    known = {str(field.validation_alias) for field in ServiceSettings.model_fields.values()}
    assert set(re.findall(r"RLM_KERNEL_[A-Z_]*[A-Z]", TEXT)) <= known


def budget(**given: object) -> Budget:
    """What a request may take that says nothing of it."""
    settings = ServiceSettings.model_validate({"model": "a/x", **given})
    questions = Questions(Models(settings, None), settings)
    return questions.of(InferRequest(query="?")).options.budget


def test_the_limits_of_a_run_are_those_of_the_code() -> None:
    table = TEXT.partition("<!-- limits -->")[2].partition("<!-- end -->")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", table, re.M)
    assert [name for name, _, _ in rows] == [field.name for field in fields(Budget)]
    for name, setting, default in rows:
        assert getattr(budget(), name) == (None if default == "no limit" else float(default))
        if not setting.startswith("none"):
            assert getattr(budget(**{setting.strip("`"): 7}), name) == 7


def test_the_other_limits_of_a_run_are_those_of_the_code() -> None:
    usual = RunOptions()
    assert f"{usual.parallel_calls} model calls under way" in TEXT
    assert f"({usual.max_iterations} where the request does not say)" in TEXT
    assert f"({usual.max_depth} where it does not say:" in TEXT


def test_the_routes_that_it_names_exist_and_it_names_them_all() -> None:
    table = TEXT[TEXT.index("| `POST /infer` |") : TEXT.index("```console\n$ curl http")]
    named = set(re.findall(r"(/[\w/.{}]+)", table))
    for pattern, _ in ROUTES:
        path = INTERFACE.template(pattern).replace("run_id", "id").replace("{form}", "ipynb")
        assert path in named or path in ("/", "/page/{name}"), path


def test_it_tells_how_runs_fail() -> None:
    for kind in OF_RUNS:
        line = next(row for row in TEXT.splitlines() if kind.code.removesuffix("_exceeded") in row
                    or kind.code.split("_")[0] + "_..." in row)  # fmt: skip
        assert f"| {status_of(kind('x')).value} |" in line, kind.code
