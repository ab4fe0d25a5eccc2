"""A claim to a pod of a warm pool, in the words of kubernetes-sigs/agent-sandbox."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rlm_kernel.agent.managers.cluster import Cluster
from rlm_kernel.errors import ClaimFailed

GROUP = "extensions.agents.x-k8s.io"
VERSION = "v1beta1"
LABELS = {"app.kubernetes.io/managed-by": "rlm-kernel"}

FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.05, 1.0
"""Pauses between two looks at a claim: one to a pod that is warm is bound almost at once."""

FINAL = frozenset(
    {
        "ClaimExpired",
        "EnvVarsInjectionRejected",
        "InvalidMetadata",
        "SandboxExpired",
        "TemplateNotFound",
        "VolumeClaimTemplatesError",
        "WarmPoolNotFound",
    }
)
"""Reasons for not being ready with which waiting is of no use (v0.5.6, `computeReadyCondition`)."""


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Condition(_Read):
    """What a controller says of an object."""

    type: str
    status: str
    reason: str = ""
    message: str = ""


class BoundSandbox(_Read):
    """The sandbox that a claim got, and the addresses of its pod."""

    name: str = ""
    pod_ips: tuple[str, ...] = Field(default=(), alias="podIPs")


class ClaimStatus(_Read):
    conditions: tuple[Condition, ...] = ()
    sandbox: BoundSandbox = BoundSandbox()

    def address(self) -> str | None:
        """The pod's, once it is ready. Raises ClaimFailed where it never will be."""
        for one in self.conditions:
            if one.type == "Finished" and one.status == "True":
                raise ClaimFailed(f"the pod has ended: {one.reason} {one.message}".rstrip())
            if one.type == "Ready" and one.status != "True" and one.reason in FINAL:
                raise ClaimFailed(f"{one.reason}: {one.message}")
        ready = any(one.type == "Ready" and one.status == "True" for one in self.conditions)
        return self.sandbox.pod_ips[0] if ready and self.sandbox.pod_ips else None


class SandboxClaim(_Read):
    """As far as it is looked at."""

    status: ClaimStatus = ClaimStatus()


@dataclass(frozen=True, slots=True)
class WarmPool:
    """The pods of a `SandboxWarmPool` that is in our own namespace. All raise ClaimFailed."""

    cluster: Cluster
    name: str

    async def exists(self) -> bool:
        path = self._path("sandboxwarmpools", self.name)
        return await self.cluster.ask("GET", path) is not None

    async def claim(self, name: str, life: timedelta) -> None:
        """Have a pod become ours under this name, until `release` or, without it, for `life`."""
        await self.cluster.ask("POST", self._path("sandboxclaims"), self._manifest(name, life))

    async def address(
        self, name: str, patience: float, is_given_up: Callable[[], bool] = lambda: False
    ) -> str:
        """The address of the claimed pod, once it is ready; `patience` is in seconds."""
        end, pause = time.monotonic() + patience, FIRST_LOOK_SECONDS
        while (found := await self._look(name)) is None:
            left = end - time.monotonic()
            if is_given_up():
                raise ClaimFailed(f"claim {name} came to nothing")
            if left <= 0:
                raise ClaimFailed(f"no pod of {self.name} was ready in {patience:g} s")
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 2, LONGEST_LOOK_SECONDS)
        return found

    async def release(self, name: str) -> None:
        """Give the pod up, with what runs in it. Idempotent."""
        await self.cluster.ask("DELETE", self._path("sandboxclaims", name))

    async def _look(self, name: str) -> str | None:
        """The address of the pod; None until there is one, or before the claim is made."""
        answer = await self.cluster.ask("GET", self._path("sandboxclaims", name))
        if answer is None:
            return None
        try:
            return SandboxClaim.model_validate_json(answer).status.address()
        except ValidationError as error:
            raise ClaimFailed(f"claim {name} is not of the form of {GROUP}/{VERSION}") from error

    def _manifest(self, name: str, life: timedelta) -> dict[str, Any]:
        end = (datetime.now(UTC) + life).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "SandboxClaim",
            "metadata": {"name": name, "labels": LABELS},
            "spec": {
                "warmPoolRef": {"name": self.name},
                "lifecycle": {"shutdownTime": end, "shutdownPolicy": "Delete"},
            },
        }

    def _path(self, *rest: str) -> str:
        parts = ["apis", GROUP, VERSION, "namespaces", self.cluster.namespace, *rest]
        return "/" + "/".join(parts)
