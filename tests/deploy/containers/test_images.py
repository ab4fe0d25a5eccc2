"""The images by themselves: small, closed, and in no need of anything around them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.deploy.containers.engine import Engine

pytestmark = [pytest.mark.containers, pytest.mark.timeout(2400), pytest.mark.usefixtures("images")]

MANAGER, AGENT = "wasm-manager:latest", "rlm-inference:latest"
MAX_MANAGER_BYTES = 400_000_000

CONFINED = (
    *("run", "--rm", "--network=none", "--read-only", "--read-only-tmpfs=false"),
    *("--cap-drop=ALL", "--security-opt=no-new-privileges", "--pids-limit=1024", "--memory=2g"),
)
TOOLS = "cc gcc ld make cmake git npm node curl wget hatchling pip uv"

each_image = pytest.mark.parametrize("image", [MANAGER, AGENT])


def shell(engine: Engine, image: str, script: str, *options: str) -> str:
    return engine(*CONFINED, *options, "--entrypoint=sh", image, "-c", script)


def test_the_manager_is_small(engine: Engine) -> None:
    assert int(engine("image", "inspect", "--format={{.Size}}", MANAGER)) < MAX_MANAGER_BYTES


@each_image
def test_it_has_no_tools_to_build_or_fetch_with(engine: Engine, image: str) -> None:
    script = f"for tool in {TOOLS}; do command -v $tool; done; true"
    assert shell(engine, image, script) == ""


@each_image
def test_its_user_has_a_number_and_can_change_nothing(engine: Engine, image: str) -> None:
    assert shell(engine, image, "id -u").strip() == "10001"
    assert shell(engine, image, "find /opt/rlm-kernel -writable -not -type l") == ""


@each_image
def test_it_says_what_it_is_and_how_to_ask_it(engine: Engine, image: str) -> None:
    config = json.loads(engine("image", "inspect", image))[0]
    assert config["Labels"]["org.opencontainers.image.title"] == image.partition(":")[0]
    assert config["Config"]["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"][:3] == ["CMD", "rlm-kernel", "healthcheck"]


def test_code_runs_with_no_network_and_no_file_to_write_to(engine: Engine) -> None:
    assert engine(*CONFINED, "-e", "REQUIRE_SEAL=1", MANAGER, "exec", "-c", "print(6*7)") == "42\n"


def test_any_user_will_do(engine: Engine) -> None:
    """As where a cluster gives each namespace numbers of its own."""
    assert engine(*CONFINED, "--user=1234567:0", MANAGER, "exec", "-c", "print(6*7)") == "42\n"


def test_what_the_cache_lacks_is_said_and_not_looked_for(engine: Engine) -> None:
    done = engine.try_(*CONFINED, MANAGER, "exec", "--preload", "attrs", "-c", "1")
    assert done.returncode == 2
    assert "Read-only file system" in done.stderr
    assert "rlm-kernel fetch" in done.stderr


def test_packages_can_be_built_in(engine: Engine) -> None:
    tag = "localhost/rlm-test-preload:latest"
    engine.build(MANAGER, "RLM_KERNEL_PRELOAD=attrs", tag=tag)
    code = "import sys; print('attrs' in sys.modules)"
    assert engine(*CONFINED, tag, "exec", "-c", code) == "True\n"


@pytest.fixture
def begun(engine: Engine, request: pytest.FixtureRequest) -> Iterator[str]:
    """A container of an image, from its first moment on."""
    name = "rlm-test-begun"
    engine.try_("rm", "--force", "--time=0", name)
    model = "--env=RLM_KERNEL_MODEL=openai/none"
    engine("run", "--detach", f"--name={name}", *CONFINED[2:], model, request.param)
    yield name
    engine("rm", "--force", "--time=0", name)


def states(engine: Engine, name: str) -> list[str]:
    """Of its processes, as ps has them."""
    return engine("top", name, "state").split()[1:]


@pytest.mark.parametrize("begun", [MANAGER, AGENT], indirect=True)
def test_one_that_still_starts_can_be_stopped(engine: Engine, begun: str) -> None:
    """As the first process it would not hear SIGTERM before it has a handler for it."""
    while len(states(engine, begun)) < 2:
        pass  # until the command has its own process
    engine("kill", "--signal=TERM", begun)
    assert int(engine("wait", begun, seconds=30)) in (0, 128 + 15)


@pytest.mark.parametrize("begun", [AGENT], indirect=True)
def test_what_a_probe_leaves_behind_is_reaped(engine: Engine, begun: str) -> None:
    while len(states(engine, begun)) < 2:
        pass
    engine("exec", begun, "sh", "-c", "true & true & exit 0")
    while "Z" in states(engine, begun):
        pass
    assert engine("exec", begun, "rlm-kernel", "--version").startswith("rlm-kernel ")
