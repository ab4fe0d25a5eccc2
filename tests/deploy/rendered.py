"""The manifests as a cluster would get them: rendered by kubectl, which the dev extra pins."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import rlm_kernel

Manifest = dict[str, Any]

ROOT = Path(rlm_kernel.__file__).parents[1]
K8S = ROOT / "deploy" / "k8s"
ONE_FILE = K8S / "rlm-sidecar-deployment.yaml"
VARIANTS = ("base", "overlays/local", "overlays/production", "overlays/agent-sandbox")

OLDEST, NEWEST = "1.29", "1.37"
"""Native sidecars need no feature gate since 1.29; the newest is that of the pinned kubectl."""


@cache
def render(variant: str) -> str:
    """What `kubectl kustomize` makes of a folder of deploy/k8s. A tool that is missing fails."""
    kubectl = Path(sys.executable).with_name("kubectl")
    command = [str(kubectl), "kustomize", str(K8S / variant)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def manifests(variant: str) -> list[Manifest]:
    return [document for document in yaml.safe_load_all(render(variant)) if document]


def of_kind(variant: str, kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests(variant) if manifest["kind"] == kind]


def the(variant: str, kind: str, name: str) -> Manifest:
    """The one of this kind and name, or whose name is this one with a hash of its content."""
    (found,) = [
        manifest
        for manifest in of_kind(variant, kind)
        if manifest["metadata"]["name"] == name
        or manifest["metadata"]["name"].rpartition("-")[0] == name
    ]
    return found


def pod_template(variant: str) -> Manifest:
    """Of the Deployment, or of the template that agent-sandbox makes pods from."""
    deployments = of_kind(variant, "Deployment")
    if deployments:
        (deployment,) = deployments
        return dict(deployment["spec"]["template"])
    (template,) = of_kind(variant, "SandboxTemplate")
    return dict(template["spec"]["podTemplate"])


def pod(variant: str) -> Manifest:
    return dict(pod_template(variant)["spec"])


def containers(variant: str) -> dict[str, Manifest]:
    """By name, the sidecar among them."""
    spec = pod(variant)
    return {each["name"]: each for each in (*spec["initContainers"], *spec["containers"])}


def variables(variant: str, container: str) -> dict[str, str | None]:
    """What a container gets into its environment; None for the value of a secret."""
    found: dict[str, str | None] = {}
    for source in containers(variant)[container].get("envFrom", ()):
        (config,) = [
            manifest
            for manifest in of_kind(variant, "ConfigMap")
            if manifest["metadata"]["name"] == source["configMapRef"]["name"]
        ]
        found |= config["data"]
    for variable in containers(variant)[container].get("env", ()):
        found[variable["name"]] = variable.get("value")
    return found


def every_mapping(node: object) -> Iterator[Manifest]:
    """A manifest's mappings, at whatever depth."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from every_mapping(value)
    elif isinstance(node, list):
        for value in node:
            yield from every_mapping(value)
