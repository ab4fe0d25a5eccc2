"""deploy/README.md names files, objects and commands that are there."""

from __future__ import annotations

import re
import shlex

import pytest

from rlm_kernel.cli import COMMANDS
from rlm_kernel.settings import ManagerSettings, SandboxSettings, ServiceSettings
from tests.deploy.rendered import K8S, ROOT, containers, manifests, pod

TEXT = (ROOT / "deploy" / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def commands() -> list[list[str]]:
    """Every command of the runbook, as words; what they print is left out."""
    blocks = re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    lines = re.sub(r"\\\n\s*", " ", "".join(blocks)).splitlines()
    asked = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [shlex.split(line.strip("()")) for line in asked]


def test_there_are_commands_for_the_whole_life_of_a_pod() -> None:
    words = {" ".join(command[:4]) for command in commands()}
    for wanted in ("docker build", "kubectl apply", "kubectl -n rlm port-forward"):
        assert any(each.startswith(wanted) for each in words)


def test_paths_exist() -> None:
    found = re.findall(r"\bdeploy/(?:docker|k8s)/[\w./-]*\w", TEXT)
    found += [f"deploy/{path}" for path in re.findall(r"`((?:docker|k8s)/[\w./-]*)`", TEXT)]
    assert len(found) > 10
    for path in found:
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\((\.\./[\w./]+)\)", TEXT):
        assert (ROOT / "deploy" / link).exists(), link


def test_overlays_and_components_are_named() -> None:
    for folder in (*(K8S / "overlays").iterdir(), *(K8S / "components").iterdir()):
        assert f"`{folder.name}`" in TEXT


def test_objects_that_commands_name_are_in_the_manifests() -> None:
    spec = pod("base")
    (deployment,) = [each for each in manifests("base") if each["kind"] == "Deployment"]
    for command in commands():
        if command[0] != "kubectl":
            continue
        for word in command:
            kind, _, name = word.partition("/")
            if kind in {"deployment", "deploy"} and "." not in name and "k8s" not in name:
                assert name == deployment["metadata"]["name"], command
        if "-c" in command:
            assert command[command.index("-c") + 1] in containers("base"), command
        if "secret" in command:
            secrets = [v["secret"]["secretName"] for v in spec["volumes"] if "secret" in v]
            assert command[command.index("generic") + 1] in secrets


def test_our_own_commands_exist() -> None:
    ours = [command for command in commands() if "rlm-kernel" in command]
    assert len(ours) > 3
    for command in ours:
        assert command[command.index("rlm-kernel") + 1] in COMMANDS
    for target in re.findall(r"`make ([\w-]+)`", TEXT):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`?\b((?:RLM_KERNEL|MAX)_[A-Z_]+)", TEXT))))
def test_settings_exist(name: str) -> None:
    kinds = (ManagerSettings, SandboxSettings, ServiceSettings)
    known = {str(f.validation_alias) for kind in kinds for f in kind.model_fields.values()}
    assert name in known | {"RLM_KERNEL_CACHE"}


def test_secrets_of_the_runbook_are_what_the_agent_reads() -> None:
    (create,) = [each for each in commands() if "secret" in each and "--dry-run=client" not in each]
    given = {
        word.removeprefix("--from-literal=").partition("=")[0] for word in create if "=" in word
    }
    assert given == {"RLM_KERNEL_AGENT_TOKEN", "RLM_KERNEL_METRICS_TOKEN", "OPENAI_API_KEY"}
