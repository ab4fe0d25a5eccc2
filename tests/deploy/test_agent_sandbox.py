"""Pods for kubernetes-sigs/agent-sandbox: its fields (as of v0.5.6, `extensions` v1beta1), and that
what it makes is the base's pod."""

from __future__ import annotations

import yaml

from rlm_kernel.settings import ManagerSettings
from tests.deploy.rendered import (
    K8S,
    Manifest,
    manifests,
    of_kind,
    pod,
    pod_template,
    the,
    variables,
)

OVERLAY = "overlays/agent-sandbox"
API = "extensions.agents.x-k8s.io/v1beta1"

BLUEPRINT = {"podTemplate", "volumeClaimTemplates", "service"}
TEMPLATE = BLUEPRINT | {
    "networkPolicy",
    "networkPolicyManagement",
    "envVarsInjectionPolicy",
    "volumeClaimTemplatesPolicy",
}
CHOICES = {
    "networkPolicyManagement": {"Managed", "Unmanaged"},
    "envVarsInjectionPolicy": {"Allowed", "Overrides", "Disallowed"},
    "volumeClaimTemplatesPolicy": {"Allowed", "Overrides", "Disallowed"},
}


def template() -> Manifest:
    return dict(the(OVERLAY, "SandboxTemplate", "rlm-sidecar"))


def claim() -> Manifest:
    text = (K8S / OVERLAY / "sandboxclaim.yaml").read_text()
    return dict(yaml.safe_load(text))


def test_the_template_has_fields_that_exist() -> None:
    assert template()["apiVersion"] == API
    spec = template()["spec"]
    assert set(spec) <= TEMPLATE
    for field, allowed in CHOICES.items():
        assert spec[field] in allowed
    assert set(spec["podTemplate"]) == {"metadata", "spec"}
    assert set(spec["podTemplate"]["metadata"]) <= {"labels", "annotations"}


def test_the_pool_makes_pods_from_the_template_and_replaces_old_ones() -> None:
    (pool,) = of_kind(OVERLAY, "SandboxWarmPool")
    assert pool["apiVersion"] == API
    assert set(pool["spec"]) == {"replicas", "sandboxTemplateRef", "updateStrategy"}
    assert pool["spec"]["sandboxTemplateRef"] == {"name": template()["metadata"]["name"]}
    assert pool["spec"]["updateStrategy"]["type"] in {"Recreate", "OnReplenish"}


def test_a_claim_takes_from_the_pool_and_ends() -> None:
    (pool,) = of_kind(OVERLAY, "SandboxWarmPool")
    spec = claim()["spec"]
    assert claim()["apiVersion"] == API
    assert spec["warmPoolRef"] == {"name": pool["metadata"]["name"]}
    assert set(spec["lifecycle"]) <= {"shutdownTime", "shutdownPolicy", "ttlSecondsAfterFinished"}
    assert spec["lifecycle"]["shutdownPolicy"] in {"Delete", "DeleteForeground", "Retain"}
    assert "env" not in spec, "it would have the pod started cold"


def test_the_pods_are_the_bases_but_for_token_and_keys() -> None:
    ours, base = pod(OVERLAY), pod("base")
    for name in ("initContainers", "containers"):
        for mine, original in zip(ours[name], base[name], strict=True):
            same = set(original) - {"envFrom", "volumeMounts"}
            assert {key: mine[key] for key in same} == {key: original[key] for key in same}
    rest = set(base) - {"initContainers", "containers", "volumes"}
    assert {key: ours[key] for key in rest} == {key: base[key] for key in rest}
    labels = pod_template("base")["metadata"]["labels"]
    assert pod_template(OVERLAY)["metadata"]["labels"] == labels


def test_the_manager_can_be_reached_by_those_who_have_the_token() -> None:
    manager = variables(OVERLAY, "wasm-manager")
    assert manager["RLM_KERNEL_HOST"] == "0.0.0.0"
    assert manager["RLM_KERNEL_TOKEN"] is None, "it is a secret's"
    port = ManagerSettings.model_fields["port"].default
    opened = [
        port["port"]
        for policy in of_kind(OVERLAY, "NetworkPolicy")
        for rule in policy["spec"].get("ingress", ())
        for port in rule["ports"]
    ]
    assert port in opened


def test_a_claimant_may_do_no_more_than_claim() -> None:
    (role,) = of_kind(OVERLAY, "Role")
    assert all(rule["apiGroups"] == [API.partition("/")[0]] for rule in role["rules"])
    allowed = [(rule["resources"], set(rule["verbs"])) for rule in role["rules"]]
    assert allowed == [
        (["sandboxclaims"], {"create", "get", "delete"}),
        (["sandboxwarmpools"], {"get"}),
    ]
    (binding,) = of_kind(OVERLAY, "RoleBinding")
    assert binding["roleRef"]["name"] == role["metadata"]["name"]


def test_nothing_makes_pods_beside_the_pool() -> None:
    kinds = {manifest["kind"] for manifest in manifests(OVERLAY)}
    assert not kinds & {
        "Deployment",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
        "SandboxClaim",
    }
