"""Settings: where each comes from, and how a bad one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from rlm_kernel.cache import cache_dir
from rlm_kernel.errors import ConfigurationError
from rlm_kernel.settings import AgentSettings, ManagerSettings, SandboxSettings, Settings


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test starts without any of our variables."""
    variables = {"RLM_KERNEL_CACHE", "XDG_CACHE_HOME"}
    for kind in (ManagerSettings, AgentSettings):
        variables |= {str(field.validation_alias) for field in kind.model_fields.values()}
    for name in variables:
        monkeypatch.delenv(name, raising=False)


def test_defaults_are_those_of_the_design_document() -> None:
    manager, agent = ManagerSettings.from_environment(), AgentSettings.from_environment()
    assert (manager.host, manager.port) == ("127.0.0.1", 8080)
    assert agent.manager_url == "http://localhost:8080"
    assert (manager.token, agent.token, agent.model_path) == (None, None, None)


def test_variables_of_the_design_document_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "MAX_SESSIONS": "7",
        "SESSION_TTL": "1.5",
        "LOG_LEVEL": "debug",
        "PYODIDE_URL": "/srv/pyodide",
        "WASM_MANAGER_SERVICE_URL": "http://manager:9/",
        "MODEL_PATH": "/models",
    }.items():
        monkeypatch.setenv(name, value)
    manager, agent = ManagerSettings.from_environment(), AgentSettings.from_environment()
    assert (manager.max_sessions, manager.session_ttl) == (7, 1.5)
    assert manager.log_level == agent.log_level == "DEBUG"
    assert manager.pyodide_url == "/srv/pyodide"
    assert agent.manager_url == "http://manager:9"
    assert agent.model_path == Path("/models")


def test_an_argument_wins_over_the_variable_and_none_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RLM_KERNEL_PORT", "1")
    assert ManagerSettings.from_environment(port=2).port == 2
    assert ManagerSettings.from_environment(port=None).port == 1


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_SESSIONS", "")
    monkeypatch.setenv("RLM_KERNEL_TOKEN", "")
    settings = ManagerSettings.from_environment()
    assert settings.max_sessions == 100
    assert settings.token is None


def test_whether_the_manager_url_was_given_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "manager_url" not in AgentSettings.from_environment().model_fields_set
    monkeypatch.setenv("WASM_MANAGER_SERVICE_URL", "http://localhost:8080")
    assert "manager_url" in AgentSettings.from_environment().model_fields_set


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("RLM_KERNEL_PORT", "65536"),
        ("RLM_KERNEL_PORT", "tcp://10.0.0.1:80"),
        ("MAX_SESSIONS", "0"),
        ("SESSION_TTL", "-1"),
        ("SESSION_TTL", "nan"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=variable):
        ManagerSettings.from_environment()


def test_a_manager_url_without_scheme_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WASM_MANAGER_SERVICE_URL", "localhost:8080")
    with pytest.raises(ConfigurationError, match="WASM_MANAGER_SERVICE_URL"):
        AgentSettings.from_environment()


@pytest.mark.parametrize(
    ("said", "kept", "sole"),
    [
        ("http://one:8080/", "http://one:8080", "http://one:8080"),
        (" http://one:1/ , https://two/,", "http://one:1,https://two", None),
        ("dns+http://managers.rlm:8080", "dns+http://managers.rlm:8080", None),
        ("srv+https://_http._tcp.managers", "srv+https://_http._tcp.managers", None),
        ("claim+http://warm-pool:8080", "claim+http://warm-pool:8080", None),
    ],
)
def test_managers_are_named_by_themselves_or_by_what_leads_to_them(
    monkeypatch: pytest.MonkeyPatch, said: str, kept: str, sole: str | None
) -> None:
    monkeypatch.setenv("WASM_MANAGER_SERVICE_URL", said)
    settings = AgentSettings.from_environment()
    assert settings.manager_url == kept
    assert settings.sole_manager_url == sole
    if sole is None:
        with pytest.raises(ConfigurationError, match="this needs the URL of one manager"):
            settings.must_name_one_manager()
    else:
        assert settings.must_name_one_manager() == sole


def test_the_token_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLM_KERNEL_TOKEN", "hunter2")
    settings = ManagerSettings.from_environment()
    assert settings.token is not None
    assert settings.token.get_secret_value() == "hunter2"
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump()}"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        ManagerSettings.from_environment().port = 1


@pytest.mark.parametrize("kind", [SandboxSettings, ManagerSettings, AgentSettings])
def test_every_setting_has_a_variable_and_a_description(kind: type[Settings]) -> None:
    for name, field in kind.model_fields.items():
        assert str(field.validation_alias).isupper(), name
        assert field.description, name


def test_the_cache_is_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache_dir() == Path("/home/somebody/.cache/rlm-kernel")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert cache_dir() == Path("/home/somebody/.cache/rlm-kernel")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache")
    assert cache_dir() == Path("/var/cache/rlm-kernel")
    monkeypatch.setenv("RLM_KERNEL_CACHE", "~/here")
    assert cache_dir() == Path("/home/somebody/here")


@pytest.mark.parametrize(
    ("text", "packages"),
    [
        ("", ()),
        ("pydantic", ("pydantic",)),
        ("pydantic,msgspec", ("pydantic", "msgspec")),
        (" pydantic  ./wheels/x.whl\n", ("pydantic", "./wheels/x.whl")),
        ("a>=1,<2,b[x,y],~/z.whl", ("a>=1,<2", "b[x,y]", "~/z.whl")),
        ("a~=1.0,!=1.5, b==2.*", ("a~=1.0,!=1.5", "b==2.*")),
    ],
)
def test_packages_are_parted_by_commas_or_spaces(
    monkeypatch: pytest.MonkeyPatch, text: str, packages: tuple[str, ...]
) -> None:
    monkeypatch.setenv("RLM_KERNEL_PRELOAD", text)
    assert SandboxSettings.from_environment().preload == packages


def test_packages_that_are_given_one_by_one_stay_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RLM_KERNEL_PRELOAD", "pydantic")
    given = ["a >= 1", "my wheels/x.whl"]
    assert SandboxSettings.from_environment(preload=given).preload == tuple(given)
