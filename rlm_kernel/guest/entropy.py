"""What a copied session must renew so that it is not its twin."""

from __future__ import annotations

import random
import sys
import tempfile
import uuid


def renew() -> None:
    """Seeds the generators that keep their state in memory, and forgets what was drawn from them.

    `os.urandom`, `secrets` and `uuid.uuid4` draw from the host each time and need nothing.
    """
    random.seed()
    tempfile._name_sequence = None  # type: ignore[attr-defined]
    uuid._node = None  # type: ignore[attr-defined]
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()
