"""docs/operations.md says what is so."""

from __future__ import annotations

import re

import pytest

from rlm_kernel.http import connections, tries
from rlm_kernel.http import server as http_server
from rlm_kernel.http.answer_headers import SAFE_HEADERS
from rlm_kernel.manager.application import ROUTES
from rlm_kernel.settings import ManagerSettings
from tests.operations_tables import DOCUMENT, with_tables

TEXT = DOCUMENT.read_text()


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in ManagerSettings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)


def test_the_tables_of_metrics_and_settings_are_those_of_the_code() -> None:
    assert with_tables(TEXT) == TEXT, "run python -m tests.operations_tables"


def test_its_tables_have_every_metric_and_setting() -> None:
    assert TEXT.count("\n| `rlm_kernel_") > 20
    for field in ManagerSettings.model_fields.values():
        assert f"\n| `{field.validation_alias}` |" in TEXT


@pytest.mark.parametrize(
    "said",
    [
        f"headers of {http_server.MAX_HEADER_BYTES >> 10} KiB",
        f"or {http_server.MAX_HEADERS} of them",
        f"longer than {connections.HEADER_SECONDS:g} s from their first byte",
        f"fewer than {connections.BODY_BYTES:,} bytes in {connections.BODY_SECONDS:g} s",
        f"fewer than {connections.ANSWER_BYTES:,} bytes in {connections.ANSWER_SECONDS:g} s",
        f"nothing happens for {http_server.IDLE_SECONDS / 60:g} min",
        f"{tries.TRIES} requests a minute",
        *SAFE_HEADERS,
    ],
)
def test_the_limits_are_those_of_the_code(said: str) -> None:
    assert said in TEXT


def test_the_metrics_that_it_names_exist() -> None:
    table = set(re.findall(r"\n\| `(rlm_kernel_\w+)`", TEXT))
    named = {name.removesuffix("_total") for name in re.findall(r"rlm_kernel_\w+_\w+", TEXT)}
    assert {name for name in named if name not in table and "manager" not in name} <= {
        "rlm_kernel_session_id"
    }


def test_the_routes_that_it_names_exist() -> None:
    patterns = [re.compile(pattern) for pattern, _ in ROUTES]
    for path in re.findall(r"`(?:GET )?(/\w+)`", TEXT):
        assert any(pattern.fullmatch(path) for pattern in patterns), path
