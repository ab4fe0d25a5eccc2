"""Every manifest is one that the oldest and the newest supported Kubernetes know."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.deploy.rendered import K8S, NEWEST, OLDEST, VARIANTS, Manifest, manifests, pod, render

FOREIGN = {"ServiceMonitor", "PrometheusRule", "SandboxTemplate", "SandboxWarmPool"}
"""Kinds that operators bring, which have tests of their own."""


def check(manifest: Manifest, version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("variant", VARIANTS)
def test_manifests_follow_the_schemas(variant: str, version: str) -> None:
    native = [each for each in manifests(variant) if each["kind"] not in FOREIGN]
    assert native
    for manifest in native:
        check(manifest, version)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_the_pod_of_a_sandbox_follows_them_too(version: str) -> None:
    spec = pod("overlays/agent-sandbox")
    check({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": spec}, version)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_the_loader_of_models_follows_them_and_is_restricted(version: str) -> None:
    loader = yaml.safe_load((K8S / "model-loader.yaml").read_text())
    check(loader, version)
    (container,) = loader["spec"]["containers"]
    security = pod("base")["containers"][0]["securityContext"]
    assert container["securityContext"].items() <= security.items()
    (claim,) = [each for each in manifests("base") if each["kind"] == "PersistentVolumeClaim"]
    (volume,) = loader["spec"]["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


def test_a_field_that_does_not_exist_is_noticed() -> None:
    wrong: dict[str, Any] = pod("base") | {"restartPolice": "Always"}
    with pytest.raises(kubernetes_validate.ValidationError):
        check({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": wrong}, NEWEST)


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_two_manifests_are_the_same_object(variant: str) -> None:
    names = [
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
        for each in manifests(variant)
    ]
    assert len(names) == len(set(names))


def test_rendering_says_the_same_each_time() -> None:
    first = render("base")
    render.cache_clear()
    assert render("base") == first
