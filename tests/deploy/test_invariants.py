"""What a pod must be and no schema says: words with a fixed choice, names that refer to something,
what the security context takes away, and times that fit into each other."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from rlm_kernel import settings
from rlm_kernel.settings import ManagerSettings, SandboxSettings, ServiceSettings, Settings
from tests.deploy.rendered import (
    VARIANTS,
    Manifest,
    containers,
    every_mapping,
    manifests,
    of_kind,
    pod,
    pod_template,
    variables,
)

CHOICES = {
    "imagePullPolicy": {"Always", "IfNotPresent", "Never"},
    "protocol": {"TCP", "UDP"},
    "fsGroupChangePolicy": {"OnRootMismatch", "Always"},
    "whenUnsatisfiable": {"ScheduleAnyway", "DoNotSchedule"},
    "unhealthyPodEvictionPolicy": {"AlwaysAllow", "IfHealthyBudget"},
    "restartPolicy": {"Always"},
    "selectPolicy": {"Max", "Min", "Disabled"},
}
ACCESS_MODES = {"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"}

each_variant = pytest.mark.parametrize("variant", VARIANTS)
each_overlay = pytest.mark.parametrize("variant", VARIANTS[1:])
each_container = pytest.mark.parametrize("container", ["rlm-inference", "wasm-manager"])


@each_variant
def test_words_with_a_fixed_choice_are_of_it(variant: str) -> None:
    found = set()
    for mapping in every_mapping(manifests(variant)):
        for key, allowed in CHOICES.items():
            if isinstance(mapping.get(key), str):
                assert mapping[key] in allowed, (key, mapping[key])
                found.add(key)
    assert "imagePullPolicy" in found
    for claim in of_kind(variant, "PersistentVolumeClaim"):
        assert set(claim["spec"]["accessModes"]) <= ACCESS_MODES


@each_variant
def test_the_pod_is_one_of_those_that_pod_security_calls_restricted(variant: str) -> None:
    spec = pod(variant)
    context = spec["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] >= 10000, "numeric, and no user of the node"
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    kinds = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {"emptyDir", "persistentVolumeClaim", "secret", "configMap", "projected"}
    for container in containers(variant).values():
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["privileged"] is False


@each_variant
def test_nothing_of_the_cluster_is_given_to_it(variant: str) -> None:
    spec = pod(variant)
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False


@each_variant
def test_the_manager_is_a_sidecar_that_is_ready_before_the_agent_starts(variant: str) -> None:
    (manager,) = pod(variant)["initContainers"]
    assert (manager["name"], manager["restartPolicy"]) == ("wasm-manager", "Always")
    assert manager["startupProbe"]["exec"]["command"] == ["rlm-kernel", "healthcheck"]


@each_variant
def test_probes_reach_whom_they_ask(variant: str) -> None:
    """A kubelet comes from the node: what listens on 127.0.0.1 is asked from inside."""
    for container in containers(variant).values():
        ports = {port["name"] for port in container["ports"]}
        for probe in probes(container):
            if "httpGet" in probe:
                assert container["name"] == "rlm-inference"
                assert probe["httpGet"]["port"] in ports
            else:
                assert probe["exec"]["command"][0] == "rlm-kernel"
            assert probe.get("timeoutSeconds", 1) <= probe["periodSeconds"] + 3


def probes(container: Manifest) -> Iterable[Manifest]:
    return [value for key, value in container.items() if key.endswith("Probe")]


@each_variant
def test_liveness_never_rests_on_the_other_container(variant: str) -> None:
    agent, manager = containers(variant)["rlm-inference"], containers(variant)["wasm-manager"]
    assert agent["livenessProbe"]["httpGet"]["path"] == "/health"
    assert agent["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert "--alive" in manager["livenessProbe"]["exec"]["command"]


@each_variant
@each_container
def test_variables_are_settings_that_exist(variant: str, container: str) -> None:
    names = variables(variant, container).keys()
    assert names
    assert names <= settings_of(container), names - settings_of(container)


def settings_of(container: str) -> set[str]:
    """The variables that its program reads."""
    of_manager = {ManagerSettings, SandboxSettings}
    kinds = {
        kind
        for kind in vars(settings).values()
        if isinstance(kind, type) and issubclass(kind, Settings)
    }
    chosen = of_manager if container == "wasm-manager" else kinds - of_manager
    return {str(f.validation_alias) for kind in chosen for f in kind.model_fields.values()}


@each_variant
def test_the_manager_takes_its_settings(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables(variant, "wasm-manager").items():
        monkeypatch.setenv(name, value or "of a secret")
    taken = ManagerSettings.from_environment()
    assert taken.memory_bytes < memory_limit(variant), "a session fails before the container does"
    assert taken.host == "127.0.0.1" or taken.token is not None


def memory_limit(variant: str) -> int:
    limit = containers(variant)["wasm-manager"]["resources"]["limits"]["memory"]
    assert limit.endswith("Gi")
    return int(limit.removesuffix("Gi")) << 30


@each_variant
def test_the_agent_takes_its_settings(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = variables(variant, "rlm-inference")
    for name, value in given.items():
        monkeypatch.setenv(name, value or "of a secret")
    taken = ServiceSettings.from_environment()
    assert (taken.host, taken.port) == ("0.0.0.0", 8000)
    assert taken.model is not None or taken.model_path is not None
    assert "RLM_KERNEL_AGENT_TOKEN" not in given, "a ConfigMap is not secret"


@each_variant
def test_there_is_time_to_drain_for_one_after_the_other(
    variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables(variant, "wasm-manager").items():
        monkeypatch.setenv(name, value or "of a secret")
    (_, seconds) = containers(variant)["rlm-inference"]["lifecycle"]["preStop"]["exec"]["command"]
    agent_drain = float(variables(variant, "rlm-inference")["RLM_KERNEL_AGENT_DRAIN_SECONDS"] or 0)
    manager_drain = ManagerSettings.from_environment().drain_seconds
    grace = pod(variant)["terminationGracePeriodSeconds"]
    assert int(seconds) + agent_drain + manager_drain + 10 <= grace


@each_variant
def test_what_is_mounted_is_there_and_no_container_gets_more_than_its_own(variant: str) -> None:
    volumes = {volume["name"]: volume for volume in pod(variant)["volumes"]}
    mounted = {
        name: [mount["name"] for mount in container["volumeMounts"]]
        for name, container in containers(variant).items()
    }
    assert {name for names in mounted.values() for name in names} == set(volumes)
    assert mounted["wasm-manager"] == ["manager-tmp"], "neither keys nor models"
    for volume in volumes.values():
        assert "sizeLimit" in volume.get("emptyDir", {"sizeLimit": None})
    for mount in containers(variant)["rlm-inference"]["volumeMounts"]:
        assert mount["mountPath"] == "/tmp" or mount["readOnly"] is True


@each_variant
def test_what_is_referred_to_by_name_is_part_of_it_or_a_secret(variant: str) -> None:
    spec = pod(variant)
    assert names(variant, "ServiceAccount") >= {spec["serviceAccountName"]}
    claims = {v["persistentVolumeClaim"]["claimName"] for v in spec["volumes"] if claim_of(v)}
    assert claims <= names(variant, "PersistentVolumeClaim")
    configs = {
        source["configMapRef"]["name"]
        for container in containers(variant).values()
        for source in container["envFrom"]
    }
    assert len(configs) == 2
    assert configs <= names(variant, "ConfigMap")


def claim_of(volume: Manifest) -> bool:
    return "persistentVolumeClaim" in volume


def names(variant: str, kind: str) -> set[str]:
    return {manifest["metadata"]["name"] for manifest in of_kind(variant, kind)}


@each_variant
def test_selectors_select_the_pod(variant: str) -> None:
    labels = pod_template(variant)["metadata"]["labels"]
    selectors = [
        selector
        for manifest in manifests(variant)
        if manifest["kind"] not in {"ServiceMonitor", "HorizontalPodAutoscaler"}
        for selector in selectors_of(manifest.get("spec", {}))
    ]
    assert selectors
    for selector in selectors:
        assert selector.items() <= labels.items()


def selectors_of(spec: Manifest) -> Iterable[dict[str, str]]:
    if "podSelector" in spec:
        yield spec["podSelector"]["matchLabels"]
    selector = spec.get("selector")
    if selector:
        yield selector.get("matchLabels", selector)


@each_variant
def test_policies_open_ports_that_are_listened_on(variant: str) -> None:
    ports = {
        port["containerPort"] for each in containers(variant).values() for port in each["ports"]
    }
    for policy in of_kind(variant, "NetworkPolicy"):
        for rule in policy["spec"].get("ingress", ()):
            assert rule["from"], "an empty list would be everybody"
            assert {port["port"] for port in rule["ports"]} <= ports


def test_the_base_has_no_way_out_and_one_way_in() -> None:
    (policy,) = of_kind("base", "NetworkPolicy")
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert policy["spec"]["egress"] == []
    (rule,) = policy["spec"]["ingress"]
    assert [port["port"] for port in rule["ports"]] == [8000]


@each_overlay
def test_hosted_models_are_reached_over_https_at_public_addresses_only(variant: str) -> None:
    (policy,) = [p for p in of_kind(variant, "NetworkPolicy") if p["spec"].get("egress")]
    *_, web = policy["spec"]["egress"]
    assert web["ports"] == [{"port": 443, "protocol": "TCP"}]
    ranges = {block["ipBlock"]["cidr"]: block["ipBlock"]["except"] for block in web["to"]}
    assert {"10.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16"} <= set(ranges["0.0.0.0/0"])


@each_variant
def test_keys_are_files_that_the_agent_alone_can_read(variant: str) -> None:
    secrets = {v["name"]: v["secret"] for v in pod(variant)["volumes"] if "secret" in v}
    assert secrets["secrets"] == {"secretName": "rlm-secrets", "defaultMode": 0o440}
    folder = variables(variant, "rlm-inference")["RLM_KERNEL_SECRETS_DIR"]
    mounts = {m["name"]: m for m in containers(variant)["rlm-inference"]["volumeMounts"]}
    assert mounts["secrets"]["mountPath"] == folder


def test_pods_that_are_scaled_are_not_counted_by_the_deployment() -> None:
    (deployment,) = of_kind("overlays/production", "Deployment")
    (scaler,) = of_kind("overlays/production", "HorizontalPodAutoscaler")
    assert "replicas" not in deployment["spec"]
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert scaler["spec"]["minReplicas"] >= 2, "or the budget would let nobody drain a node"
    (metric,) = scaler["spec"]["metrics"]
    target = int(metric["pods"]["target"]["averageValue"])
    assert target < int(variables("overlays/production", "wasm-manager")["MAX_SESSIONS"] or 0)


def test_a_rollout_can_have_two_pods_where_the_volume_can() -> None:
    for variant in ("base", "overlays/production"):
        (deployment,) = of_kind(variant, "Deployment")
        (claim,) = of_kind(variant, "PersistentVolumeClaim")
        alone = claim["spec"]["accessModes"] == ["ReadWriteOnce"]
        assert (deployment["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 0) is alone


def test_images_of_production_have_a_place_and_a_version() -> None:
    for container in containers("overlays/production").values():
        assert re.fullmatch(
            r"[\w.-]+\.[\w.-]+/[\w/-]+(:\d+\.\d+\.\d+|@sha256:\w{64})", container["image"]
        )
