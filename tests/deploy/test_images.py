"""What the images are made of, as far as it shows without building them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deploy.rendered import ROOT, containers, pod

DOCKER = ROOT / "deploy" / "docker"
DOCKERFILES = ("Dockerfile.wasm-manager", "Dockerfile.rlm-sidecar")
NOT_FOR_THE_MANAGER = {"dnspython", "litellm", "pip"}

each_dockerfile = pytest.mark.parametrize("name", DOCKERFILES)


def instructions(name: str) -> list[tuple[str, str]]:
    """Of a Dockerfile, continued lines joined and comments left out."""
    text = re.sub(r"^\s*#.*\n", "", (DOCKER / name).read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    pairs = [line.partition(" ") for line in lines if line.strip()]
    return [(word, rest.strip()) for word, _, rest in pairs]


def last_stage(name: str) -> list[tuple[str, str]]:
    found = instructions(name)
    starts = [number for number, (word, _) in enumerate(found) if word == "FROM"]
    assert len(starts) == 2
    return found[starts[-1] :]


def project() -> dict[str, object]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return dict(tomllib.load(file)["project"])


def locked(name: str) -> dict[str, str]:
    """The versions of a lock file, each of which has hashes."""
    text = (DOCKER / name).read_text()
    entries = re.split(r"\n(?=\S)", text.strip())
    assert all("--hash=sha256:" in entry for entry in entries)
    pins = [re.match(r"([\w.-]+)==([\w.]+)", entry) for entry in entries]
    return {canonicalize_name(pin[1]): pin[2] for pin in pins if pin}


@each_dockerfile
def test_hadolint_has_nothing_to_say(name: str) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [str(hadolint), str(DOCKER / name)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "")


@each_dockerfile
def test_both_stages_come_from_a_base_that_can_be_chosen(name: str) -> None:
    found = instructions(name)
    assert found[0] == ("ARG", "BASE=python:3.13-slim-bookworm")
    assert [rest for word, rest in found if word == "FROM"] == ["${BASE} AS build", "${BASE}"]


@each_dockerfile
def test_the_last_stage_takes_what_was_made_and_makes_nothing(name: str) -> None:
    words = [word for word, _ in last_stage(name)]
    assert "RUN" not in words
    assert [rest for word, rest in last_stage(name) if word == "COPY"] == [
        "--from=build /opt/rlm-kernel /opt/rlm-kernel"
    ]


@each_dockerfile
def test_it_runs_as_the_user_of_the_manifests(name: str) -> None:
    context = pod("base")["securityContext"]
    (user,) = [rest for word, rest in last_stage(name) if word == "USER"]
    assert user == f"{context['runAsUser']}:{context['runAsGroup']}"


@each_dockerfile
def test_commands_are_lists_so_that_signals_arrive(name: str) -> None:
    stage = dict(last_stage(name))
    assert stage["ENTRYPOINT"] == '["rlm-kernel"]'
    assert stage["CMD"] in {'["serve"]', '["agent"]'}
    assert '"healthcheck"' in stage["HEALTHCHECK"]
    assert stage["STOPSIGNAL"] == "SIGTERM"


@each_dockerfile
def test_labels_name_the_image_and_the_projects_version(name: str) -> None:
    stage = last_stage(name)
    (labels,) = [rest for word, rest in stage if word == "LABEL"]
    for wanted in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{wanted}=" in labels
    assert ("ARG", f"VERSION={project()['version']}") in stage


@each_dockerfile
def test_the_port_is_the_containers(name: str) -> None:
    container = "wasm-manager" if "manager" in name else "rlm-inference"
    (port,) = containers("base")[container]["ports"]
    assert ("EXPOSE", str(port["containerPort"])) in last_stage(name)


@pytest.mark.parametrize("lock", ["agent.lock", "manager.lock"])
def test_the_locks_have_what_the_project_asks_for(lock: str) -> None:
    left_out = NOT_FOR_THE_MANAGER if lock == "manager.lock" else set[str]()
    pins = locked(lock)
    for line in project()["dependencies"]:  # type: ignore[attr-defined]
        wanted = Requirement(line)
        if wanted.name in left_out:
            assert wanted.name not in pins
        else:
            assert wanted.specifier.contains(pins.get(canonicalize_name(wanted.name), "0")), (
                f"{line}: run make lock"
            )


def test_both_images_have_the_same_versions() -> None:
    manager, agent, build = map(locked, ("manager.lock", "agent.lock", "build.lock"))
    assert manager.items() <= agent.items()
    assert len(manager) < len(agent)
    shared = build.keys() & agent.keys()
    assert {name: build[name] for name in shared} == {name: agent[name] for name in shared}


def test_the_agent_can_serve_local_models() -> None:
    (line,) = project()["optional-dependencies"]["local"]  # type: ignore[index]
    assert f"xllamacpp=={locked('agent.lock')['xllamacpp']}" == line


@pytest.mark.parametrize("lock", ["agent.lock", "manager.lock", "build.lock"])
def test_locks_name_no_registry(lock: str) -> None:
    assert "://" not in (DOCKER / lock).read_text()


def test_the_context_of_a_build_is_what_the_dockerfiles_copy() -> None:
    """Everything is left out but for what is named: no key or clone gets in by being forgotten."""
    lines = (ROOT / ".dockerignore").read_text().split()
    assert lines[0] == "*"
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {
        source
        for name in DOCKERFILES
        for word, rest in instructions(name)
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert {re.sub(r"docker/\w+\.lock", "docker/*.lock", source) for source in copied} == allowed
