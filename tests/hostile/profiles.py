"""How hypothesis searches here: the same way each time, and for as long as it takes."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

_same = settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
    phases=(Phase.generate, Phase.shrink),  # to explain a failure takes longer than to find it
)
few, many = settings(_same, max_examples=25), settings(_same, max_examples=400)
