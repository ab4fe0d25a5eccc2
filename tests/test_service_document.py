"""docs/service.md says what is so."""

from __future__ import annotations

import re

import pytest

from rlm_kernel.agent.service.application import ROUTES
from rlm_kernel.agent.service.handlers.base import OF_RUNS
from rlm_kernel.agent.service.interface import INTERFACE
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
