"""The one kernelspec that there is on a manager."""

from __future__ import annotations

from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel

from rlm_kernel.kernel.kernelspec import NAME, template_directory


class SessionSpecs(KernelSpecManager):
    """Names the sandbox's kernel alone: what is installed on this machine does not run here."""

    def find_kernel_specs(self) -> dict[str, str]:
        return {NAME: str(template_directory())}

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        if kernel_name != NAME:
            raise NoSuchKernel(kernel_name)
        spec = KernelSpec.from_resource_dir(str(template_directory()))
        # How it would be started is not what happens, and tells of this machine.
        spec.argv = []
        return spec

    def get_all_specs(self) -> dict[str, Any]:
        spec = self.get_kernel_spec(NAME)
        return {NAME: {"resource_dir": spec.resource_dir, "spec": spec.to_dict()}}
