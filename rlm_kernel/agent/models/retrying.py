"""When a model call that failed is tried again."""

from __future__ import annotations

import random

from rlm_kernel.errors import ModelError, ModelUnavailable

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0


def pause_before_retry(error: ModelError, tries: int, retries: int) -> float | None:
    """Seconds to wait before another try, after `tries`; None where there is to be none.

    The model's own wish is followed, unless it is for more than LONGEST_PAUSE_S. Without one the
    pauses double, and differ by chance, so that calls which failed together do not come together.
    """
    if tries > retries or not isinstance(error, ModelUnavailable):
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= LONGEST_PAUSE_S else None
    pause = FIRST_PAUSE_S * 2.0 ** (tries - 1)
    return min(pause, LONGEST_PAUSE_S) * random.uniform(0.5, 1.0)
