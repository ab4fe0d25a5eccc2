"""The names and figures of the design document, which its readers type in as they stand there."""

from __future__ import annotations

from rlm_kernel.settings import ManagerSettings, ServiceSettings
from tests.deploy.rendered import ONE_FILE, ROOT, containers, manifests, of_kind, render, the

LABELS = {"app": "rlm", "component": "sidecar"}


def test_the_one_file_form_is_the_base_rendered() -> None:
    text = ONE_FILE.read_text()
    assert text == render("base"), "run make manifests"


def test_everything_is_found_by_the_labels() -> None:
    for manifest in manifests("base"):
        assert manifest["metadata"]["labels"].items() >= LABELS.items(), manifest["metadata"][
            "name"
        ]
    (deployment,) = of_kind("base", "Deployment")
    assert deployment["spec"]["template"]["metadata"]["labels"].items() >= LABELS.items()
    assert deployment["spec"]["selector"]["matchLabels"] == LABELS


def test_images_ports_and_resources_are_those_of_the_document() -> None:
    agent, manager = containers("base")["rlm-inference"], containers("base")["wasm-manager"]
    assert (agent["image"], manager["image"]) == ("rlm-inference:latest", "wasm-manager:latest")
    assert agent["ports"][0]["containerPort"] == 8000
    assert manager["ports"][0]["containerPort"] == 8080
    assert amounts(agent) == (("1", "2Gi"), ("2", "4Gi"))
    assert amounts(manager) == (("500m", "1Gi"), ("1", "2Gi"))
    volume = the("base", "PersistentVolumeClaim", "rlm-models")
    assert volume["spec"]["resources"]["requests"] == {"storage": "10Gi"}


def amounts(container: dict[str, dict[str, dict[str, str]]]) -> tuple[tuple[str, str], ...]:
    """CPU and memory, of the requests and of the limits."""
    resources = container["resources"]
    return tuple((resources[of]["cpu"], resources[of]["memory"]) for of in ("requests", "limits"))


def test_the_settings_of_the_document_are_in_the_config_maps() -> None:
    agent = the("base", "ConfigMap", "rlm-inference")["data"]
    assert agent["WASM_MANAGER_SERVICE_URL"] == "http://localhost:8080"
    assert agent.keys() >= {"MODEL_PATH", "LOG_LEVEL"}
    manager = the("base", "ConfigMap", "wasm-manager")["data"]
    assert manager.keys() >= {"MAX_SESSIONS", "SESSION_TTL", "LOG_LEVEL"}


def test_the_ports_are_the_defaults_of_the_program() -> None:
    assert ManagerSettings.model_fields["port"].default == 8080
    assert ServiceSettings.model_fields["port"].default == 8000
    assert ServiceSettings.model_fields["manager_url"].default == "http://localhost:8080"


def test_the_paths_of_the_document_exist() -> None:
    for path in ("docker/Dockerfile.rlm-sidecar", "docker/Dockerfile.wasm-manager", ONE_FILE):
        assert (ROOT / "deploy" / path).is_file()
