"""Every setting, once: its default, the environment variable that sets it, and what it means.

Commands read the settings at the edge with `from_environment` and pass values inward; nothing
below the commands looks at the environment, except `rlm_kernel.cache`, which has to find itself.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from rlm_kernel.errors import ConfigurationError
from rlm_kernel.manager_location import ManagerLocation

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


_BETWEEN = re.compile(r"\s+|,(?![^\[]*\])(?=[A-Za-z0-9./]|~/)")
"""A comma parts two packages unless it is within one: `a[x,y]`, `a>=1,<2`."""


def _preload(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(filter(None, (part.strip(",") for part in _BETWEEN.split(value))))


def _manager_url(value: str) -> str:
    return str(ManagerLocation.parse(value))


def _names(value: object) -> object:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


class Settings(BaseSettings):
    """What every settings class shares: frozen, read from the environment, empty means unset."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True
    )

    log_level: Annotated[LogLevel, BeforeValidator(_upper)] = Field(
        default="INFO",
        validation_alias="LOG_LEVEL",
        description="least severe level that is logged",
    )
    token: SecretStr | None = Field(
        default=None,
        validation_alias="RLM_KERNEL_TOKEN",
        description="secret that the manager asks for and its clients send",
    )

    @classmethod
    def from_environment(cls, **given: Any) -> Self:
        """The settings of the environment, with those of `given` that are not None on top.

        Raises ConfigurationError that names each setting that cannot work.
        """
        overrides = {name: value for name, value in given.items() if value is not None}
        try:
            return cls(**overrides)
        except ValidationError as error:
            raise ConfigurationError(cls._explain(error)) from error

    @classmethod
    def _explain(cls, error: ValidationError) -> str:
        return "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )


class SandboxSettings(Settings):
    """Settings of everything that starts sessions."""

    pyodide_url: str | None = Field(
        default=None,
        validation_alias="PYODIDE_URL",
        description="base URL or directory of the Pyodide release; the release's CDN if unset",
    )
    memory_bytes: int = Field(
        default=1 << 30,
        ge=64 << 20,
        le=4 << 30,
        validation_alias="RLM_KERNEL_MEMORY_BYTES",
        description="memory that the Python of one session may use",
    )
    file_bytes: int = Field(
        default=1 << 30,
        ge=0,
        validation_alias="RLM_KERNEL_FILE_BYTES",
        description="bytes that the files of one session may hold",
    )
    file_count: int = Field(
        default=1 << 16,
        ge=0,
        validation_alias="RLM_KERNEL_FILE_COUNT",
        description="files, folders and links that one session may have",
    )
    open_files: int = Field(
        default=1024,
        ge=16,
        le=1 << 16,
        validation_alias="RLM_KERNEL_OPEN_FILES",
        description="files that one session may have open at once",
    )
    path_bytes: int = Field(
        default=4096,
        ge=512,
        le=4096,
        validation_alias="RLM_KERNEL_PATH_BYTES",
        description="bytes that the path of a file may have, its end included",
    )
    output_bytes: int = Field(
        default=16 << 20,
        ge=0,
        validation_alias="RLM_KERNEL_OUTPUT_BYTES",
        description="bytes of text that one cell may print; the rest is not shown",
    )
    display_bytes: int = Field(
        default=64 << 20,
        ge=0,
        validation_alias="RLM_KERNEL_DISPLAY_BYTES",
        description="bytes that one cell may display; the rest is not shown",
    )
    cell_timeout: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        validation_alias="RLM_KERNEL_CELL_TIMEOUT",
        description="seconds that a cell may run whose request sets no timeout; no limit if unset",
    )
    cpu_seconds: float | None = Field(
        default=3600.0,
        gt=0,
        allow_inf_nan=False,
        validation_alias="RLM_KERNEL_CPU_SECONDS",
        description="seconds of CPU time that one cell may take",
    )
    zygote_sessions: int = Field(
        default=1000,
        ge=1,
        validation_alias="RLM_KERNEL_ZYGOTE_SESSIONS",
        description="sessions that come from one zygote before a fresh one takes over",
    )
    zygote_seconds: float = Field(
        default=86400.0,
        gt=0,
        validation_alias="RLM_KERNEL_ZYGOTE_SECONDS",
        description="seconds for which sessions come from one zygote",
    )
    interrupt_grace: float = Field(
        default=2.0,
        ge=0,
        allow_inf_nan=False,
        validation_alias="RLM_KERNEL_INTERRUPT_GRACE",
        description="seconds that a cell past its timeout has to end, until it is killed",
    )
    standby: bool = Field(
        default=True,
        validation_alias="RLM_KERNEL_STANDBY",
        description="whether to keep a copy of each idle session, for cells that must be killed",
    )
    preload: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_preload)] = Field(
        default=(),
        validation_alias="RLM_KERNEL_PRELOAD",
        description="packages that sessions start with: requirements or wheels",
    )
    require_seal: bool = Field(
        default=False,
        validation_alias="REQUIRE_SEAL",
        description="whether to refuse to run where the kernel lacks a layer of the seal",
    )


class ManagerSettings(SandboxSettings):
    """Settings of `rlm-kernel serve`."""

    host: str = Field(
        default="127.0.0.1",
        validation_alias="RLM_KERNEL_HOST",
        description="address to listen on; any other than a loopback address needs a token",
    )
    port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        validation_alias="RLM_KERNEL_PORT",
        description="port to listen on; 0 takes a free one",
    )
    attach_token: SecretStr | None = Field(
        default=None,
        validation_alias="RLM_KERNEL_ATTACH_TOKEN",
        description="secret of those who may look into sessions and run code in them, no more",
    )
    max_sessions: int = Field(
        default=100,
        ge=1,
        validation_alias="MAX_SESSIONS",
        description="sessions that may live at once",
    )
    pool: int = Field(
        default=2,
        ge=0,
        le=64,
        validation_alias="RLM_KERNEL_POOL",
        description="sessions that are kept ready beside those that live",
    )
    session_ttl: float = Field(
        default=3600.0,
        gt=0,
        allow_inf_nan=False,
        validation_alias="SESSION_TTL",
        description="seconds a session may stand idle, with nobody attached, before it is closed",
    )
    drain_seconds: float = Field(
        default=25.0,
        ge=0,
        allow_inf_nan=False,
        validation_alias="RLM_KERNEL_DRAIN_SECONDS",
        description="seconds that running cells have to end when the manager is told to stop",
    )
    max_timeout: float = Field(
        default=3600.0,
        gt=0,
        allow_inf_nan=False,
        validation_alias="RLM_KERNEL_MAX_TIMEOUT",
        description="largest timeout in seconds that a request may ask for",
    )
    max_body_bytes: int = Field(
        default=16 * 1024 * 1024,
        ge=1024,
        validation_alias="RLM_KERNEL_MAX_BODY_BYTES",
        description="largest body of a request other than a file",
    )
    max_file_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=0,
        validation_alias="RLM_KERNEL_MAX_FILE_BYTES",
        description="largest file that may be sent into a session",
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        validation_alias="RLM_KERNEL_METRICS_TOKEN",
        description="secret that opens /metrics and nothing else",
    )
    max_connections: int = Field(
        default=2048,
        ge=8,
        validation_alias="RLM_KERNEL_MAX_CONNECTIONS",
        description="connections of HTTP clients that may be open at once",
    )
    stream_bytes: int = Field(
        default=16 * 1024 * 1024,
        ge=1024 * 1024,
        validation_alias="RLM_KERNEL_STREAM_BYTES",
        description="how much of a stream of events may wait for a client before the stream ends",
    )
    replay_bytes: int = Field(
        default=10 * 1024 * 1024,
        ge=0,
        validation_alias="RLM_KERNEL_REPLAY_BYTES",
        description="how much of what it published a session keeps for those who attach later",
    )
    lab: bool = Field(
        default=False,
        validation_alias="RLM_KERNEL_LAB",
        description="whether to serve JupyterLab at /lab",
    )
    lab_dir: Path | None = Field(
        default=None,
        validation_alias="RLM_KERNEL_LAB_DIR",
        description="folder that JupyterLab's visitors read and write; rlm-kernel/lab in the "
        "user's data folder if unset",
    )


class AgentSettings(Settings):
    """Settings of everything that drives a manager: the RLM loop, its service, its commands."""

    manager_url: Annotated[str, AfterValidator(_manager_url)] = Field(
        default="http://localhost:8080",
        validation_alias="WASM_MANAGER_SERVICE_URL",
        description="base URL of the manager; URLs with commas between them, or "
        "`dns+http://NAME:PORT`, `srv+http://NAME`, `claim+http://WARMPOOL:PORT` for one of many",
    )
    model_path: Path | None = Field(
        default=None,
        validation_alias="MODEL_PATH",
        description="a GGUF file, or a directory of them, to be served locally",
    )

    cluster_url: str = Field(
        default="https://kubernetes.default.svc",
        validation_alias="RLM_KERNEL_CLUSTER_URL",
        description="API server of the cluster whose pods are claimed",
    )
    cluster_account: Path = Field(
        default=Path("/var/run/secrets/kubernetes.io/serviceaccount"),
        validation_alias="RLM_KERNEL_CLUSTER_ACCOUNT",
        description="folder of the service account that claims them",
    )
    claim_sessions: int = Field(
        default=8,
        ge=1,
        validation_alias="RLM_KERNEL_CLAIM_SESSIONS",
        description="sessions of the agent that share a claimed pod",
    )
    claim_patience: float = Field(
        default=120.0,
        gt=0,
        allow_inf_nan=False,
        validation_alias="RLM_KERNEL_CLAIM_PATIENCE",
        description="seconds that a claimed pod has to become ready",
    )
    claim_life: float = Field(
        default=21600.0,
        ge=60,
        allow_inf_nan=False,
        validation_alias="RLM_KERNEL_CLAIM_LIFE",
        description="seconds after which a claimed pod ends, whatever is in it",
    )

    @property
    def sole_manager_url(self) -> str | None:
        """The URL of the one manager, None where there may be several."""
        return ManagerLocation.parse(self.manager_url).sole_url

    def must_name_one_manager(self) -> str:
        """The URL of the one manager. Raises ConfigurationError where there may be several."""
        url = self.sole_manager_url
        if url is None:
            raise ConfigurationError(
                f"WASM_MANAGER_SERVICE_URL is {self.manager_url}: this needs the URL of one manager"
            )
        return url


class ServiceSettings(AgentSettings):
    """Settings of `rlm-kernel agent`."""

    host: str = Field(
        default="127.0.0.1",
        validation_alias="RLM_KERNEL_AGENT_HOST",
        description="address to listen on; any other than a loopback address needs a token",
    )
    port: int = Field(
        default=8000,
        ge=0,
        le=65535,
        validation_alias="RLM_KERNEL_AGENT_PORT",
        description="port to listen on; 0 takes a free one",
    )
    agent_token: SecretStr | None = Field(
        default=None,
        validation_alias="RLM_KERNEL_AGENT_TOKEN",
        description="secret that the service asks for",
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        validation_alias="RLM_KERNEL_METRICS_TOKEN",
        description="secret that opens the metrics and nothing else",
    )
    secrets_dir: Path | None = Field(
        default=None,
        validation_alias="RLM_KERNEL_SECRETS_DIR",
        description="folder whose files are variables that the environment lacks, such as API "
        "keys: OPENAI_API_KEY is read from the file of that name",
    )
    model: str | None = Field(
        default=None,
        validation_alias="RLM_KERNEL_MODEL",
        description="model that writes the code: a litellm name, or local; local if unset and "
        "MODEL_PATH is set",
    )
    recursive_model: str | None = Field(
        default=None,
        validation_alias="RLM_KERNEL_RECURSIVE_MODEL",
        description="model that the code asks; the same if unset",
    )
    models: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = Field(
        default=(),
        validation_alias="RLM_KERNEL_MODELS",
        description="further models that a request may choose; * for any",
    )
    max_runs: int = Field(
        default=32,
        ge=1,
        validation_alias="RLM_KERNEL_MAX_RUNS",
        description="runs that may go on at once",
    )
    max_depth: int = Field(
        default=2,
        ge=0,
        validation_alias="RLM_KERNEL_MAX_DEPTH",
        description="largest max_depth that a request may ask for",
    )
    max_iterations: int = Field(
        default=50,
        ge=1,
        validation_alias="RLM_KERNEL_MAX_ITERATIONS",
        description="largest max_iterations that a request may ask for",
    )
    budget_usd: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        validation_alias="RLM_KERNEL_BUDGET_USD",
        description="money that one run may cost; a request may ask for less",
    )
    budget_tokens: int | None = Field(
        default=None,
        gt=0,
        validation_alias="RLM_KERNEL_BUDGET_TOKENS",
        description="tokens, in and out, that one run may take; a request may ask for less",
    )
    budget_seconds: float | None = Field(
        default=3600.0,
        gt=0,
        allow_inf_nan=False,
        validation_alias="RLM_KERNEL_BUDGET_SECONDS",
        description="seconds that one run may take; a request may ask for less",
    )
    direct_characters: int = Field(
        default=0,
        ge=0,
        validation_alias="RLM_KERNEL_DIRECT_CHARACTERS",
        description="characters of context and question together up to which the model answers "
        "by itself, without a session; 0 is never",
    )
    chat_context_characters: int = Field(
        default=4000,
        ge=1,
        validation_alias="RLM_KERNEL_CHAT_CONTEXT_CHARACTERS",
        description="characters beyond which the longest message of a chat is its context",
    )
    agent_max_body_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=1024,
        validation_alias="RLM_KERNEL_AGENT_MAX_BODY_BYTES",
        description="largest body of a request, its context included",
    )
    agent_held_bytes: int = Field(
        default=512 * 1024 * 1024,
        ge=1024,
        validation_alias="RLM_KERNEL_AGENT_HELD_BYTES",
        description="bytes of bodies that may be held at once for runs that go on",
    )
    agent_drain_seconds: float = Field(
        default=25.0,
        ge=0,
        allow_inf_nan=False,
        validation_alias="RLM_KERNEL_AGENT_DRAIN_SECONDS",
        description="seconds that runs have to end when the service is told to stop",
    )
    kept_runs: int = Field(
        default=100,
        ge=0,
        validation_alias="RLM_KERNEL_KEPT_RUNS",
        description="runs whose trajectories are kept after their end",
    )
    kept_seconds: float = Field(
        default=3600.0,
        ge=0,
        allow_inf_nan=False,
        validation_alias="RLM_KERNEL_KEPT_SECONDS",
        description="seconds for which they are kept",
    )
    kept_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=0,
        validation_alias="RLM_KERNEL_KEPT_BYTES",
        description="bytes of trajectories that are kept, those of running runs included",
    )
    max_connections: int = Field(
        default=2048,
        ge=8,
        validation_alias="RLM_KERNEL_MAX_CONNECTIONS",
        description="connections of HTTP clients that may be open at once",
    )
    stream_bytes: int = Field(
        default=16 * 1024 * 1024,
        ge=1024 * 1024,
        validation_alias="RLM_KERNEL_STREAM_BYTES",
        description="how much of a stream of events may wait for a client before the run ends",
    )
