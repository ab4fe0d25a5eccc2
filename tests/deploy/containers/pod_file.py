"""The base's pod as podman can play it: the manifest with what podman lacks put another way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from tests.deploy.rendered import Manifest, manifests, pod


def played(name: str, secrets_folder: str, settings: Mapping[str, Mapping[str, str]]) -> str:
    """YAML for `podman kube play`, the ConfigMaps with `settings` on top.

    Without native sidecars the manager is a container like the others. Probes and hooks are left
    to the test, which is the kubelet. The Secret is a folder.
    """
    spec: Manifest = pod("base")
    spec["containers"] = [
        _played(each) for each in (*spec.pop("initContainers"), *spec["containers"])
    ]
    spec["restartPolicy"] = "Never"
    spec["volumes"] = [_volume(volume, secrets_folder) for volume in spec["volumes"]]
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "rlm", "component": "sidecar"}},
        "spec": spec,
    }
    return yaml.safe_dump_all([*_config_maps(settings), document])


def _played(container: Manifest) -> Manifest:
    left_out = {"startupProbe", "livenessProbe", "readinessProbe", "lifecycle"}
    left_out |= {"restartPolicy", "ports"}
    kept = {key: value for key, value in container.items() if key not in left_out}
    kept["image"] = f"localhost/{container['image']}"
    for amounts in kept["resources"].values():
        amounts.pop("ephemeral-storage")
    return kept


def _volume(volume: dict[str, Any], secrets_folder: str) -> dict[str, Any]:
    if "secret" in volume:
        return {"name": volume["name"], "hostPath": {"path": secrets_folder, "type": "Directory"}}
    if "persistentVolumeClaim" in volume:
        return {"name": volume["name"], "emptyDir": {}}
    return volume


def _config_maps(settings: Mapping[str, Mapping[str, str]]) -> list[Manifest]:
    configs = [each for each in manifests("base") if each["kind"] == "ConfigMap"]
    for config in configs:
        container = config["metadata"]["name"].rpartition("-")[0]
        config["data"] |= settings.get(container, {})
    return configs
