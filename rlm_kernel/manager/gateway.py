"""The sessions of a manager as the kernels of a Jupyter server elsewhere."""

from __future__ import annotations

from typing import Any

from jupyter_server.gateway.gateway_client import gateway_request
from jupyter_server.gateway.managers import GatewayKernelManager, GatewayMappingKernelManager
from jupyter_server.utils import url_path_join
from tornado.escape import json_decode


class SharedKernels(GatewayMappingKernelManager):
    """Every session of the manager, where the stock class lists only what it started itself.

    Sessions that were started from here end with the server, or when their user shuts them down.
    Others are only let go of: Jupyter also shuts down a kernel whose notebook takes another one.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)  # type: ignore[no-untyped-call]
        self._started: set[str] = set()

    async def list_kernels(self, **given: Any) -> list[dict[str, Any]]:
        answer = await gateway_request(self.kernels_url, method="GET")
        for model in json_decode(answer.body):
            if model["id"] not in self._kernels:
                self._kernels[model["id"]] = await self._adopted(model)
        models: list[dict[str, Any]] = await super().list_kernels(**given)  # type: ignore[no-untyped-call]
        return models

    async def start_kernel(  # type: ignore[override]
        self, *, kernel_id: str | None = None, **given: Any
    ) -> str:
        started: str = await super().start_kernel(kernel_id=kernel_id, **given)  # type: ignore[no-untyped-call]
        if kernel_id is None:
            self._started.add(started)
        return started

    async def shutdown_kernel(  # type: ignore[override]
        self, kernel_id: str, now: bool = False, restart: bool = False
    ) -> None:
        if kernel_id in self._started:
            await super().shutdown_kernel(kernel_id, now=now, restart=restart)  # type: ignore[no-untyped-call]
        else:
            self.remove_kernel(kernel_id)  # type: ignore[no-untyped-call]

    async def shutdown_all(self, now: bool = False) -> None:  # type: ignore[override]
        for kernel_id in self._started.intersection(self._kernels):
            await self.shutdown_kernel(kernel_id, now=now)

    async def _adopted(self, model: dict[str, Any]) -> GatewayKernelManager:
        kernel: GatewayKernelManager = self.kernel_manager_factory(parent=self, log=self.log)
        kernel.kernel_id = model["id"]
        kernel.kernel_url = url_path_join(self.kernels_url, model["id"])
        await kernel.refresh_model(model)  # type: ignore[no-untyped-call]
        return kernel
