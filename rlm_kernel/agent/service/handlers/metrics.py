"""The counts of the service, and through it those of its manager."""

from __future__ import annotations

from rlm_kernel import errors
from rlm_kernel.agent.service.handlers.base import Handler
from rlm_kernel.http.metrics import CONTENT_TYPE
from rlm_kernel.http.operation import TEXT, Operation, by_method
from rlm_kernel.http.scrape import shows_scrape_token


class Scrape(Handler):
    """`/metrics`. RLM_KERNEL_METRICS_TOKEN opens this and the manager's, and nothing else."""

    operations = by_method(
        GET=Operation("metrics", "What the service counts, for Prometheus", {200: {TEXT: None}})
    )

    @property
    def token_needed(self) -> bool:  # type: ignore[override]
        return not shows_scrape_token(self.request, self.services.metrics_token)

    async def get(self) -> None:
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(await self.text())

    async def text(self) -> bytes:
        return self.services.metrics.text()


class ScrapeManager(Scrape):
    """`/metrics/manager`: in a pod the manager itself listens to nobody else.

    Where there are several, each has its own place to be asked.
    """

    operations = by_method(
        GET=Operation(
            "manager_metrics",
            "What the manager counts, for Prometheus",
            {200: {TEXT: None}},
            (errors.SandboxUnavailable, errors.RouteNotFound),
        )
    )

    async def text(self) -> bytes:
        manager = self.services.manager
        if manager is None:
            raise errors.RouteNotFound("there may be several managers: ask them for their counts")
        try:
            return await manager.metrics()
        except errors.ManagerError as error:
            raise errors.SandboxUnavailable(f"the manager: {error}") from error
