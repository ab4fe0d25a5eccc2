"""The counts, for those who scrape them."""

from __future__ import annotations

from rlm_kernel.http.metrics import CONTENT_TYPE
from rlm_kernel.http.operation import TEXT, Operation, by_method
from rlm_kernel.http.scrape import shows_scrape_token
from rlm_kernel.manager.handlers.base import Handler


class Scrape(Handler):
    """`/metrics`. RLM_KERNEL_METRICS_TOKEN opens this and nothing else."""

    operations = by_method(
        GET=Operation("metrics", "What there is to count, for Prometheus", {200: {TEXT: None}})
    )

    @property
    def token_needed(self) -> bool:  # type: ignore[override]
        return not shows_scrape_token(self.request, self.services.metrics_token)

    def get(self) -> None:
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(self.services.metrics.text())
