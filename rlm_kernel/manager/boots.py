"""The boots of zygotes as spans."""

from __future__ import annotations

import time

from rlm_kernel.http.tracing import current_tracer
from rlm_kernel.sandbox import Observer


class TracedBoots(Observer):
    """Has the boots of zygotes, which somebody else counts, as spans too."""

    def __init__(self, counting: Observer) -> None:
        self._counting = counting

    def zygote_booted(self, seconds: float) -> None:
        self._counting.zygote_booted(seconds)
        if found := current_tracer():
            ended = time.time_ns()
            began = ended - int(seconds * 1e9)
            found.start_span("zygote.boot", start_time=began).end(ended)

    def zygote_died(self) -> None:
        self._counting.zygote_died()

    def zygote_succeeded(self) -> None:
        self._counting.zygote_succeeded()
