"""What a manager has counted so far."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families


def scrape(http: httpx.Client) -> dict[str, float]:
    """Every sample by its name and the values of its labels: `rlm_kernel_executions_total ok`."""
    answer = http.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        " ".join([sample.name.removeprefix("rlm_kernel_"), *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
