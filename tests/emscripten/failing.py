"""The guest's errors as tests expect them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rlm_kernel.emscripten import Errno, SyscallError


@contextmanager
def fails(errno: Errno) -> Iterator[None]:
    """What happens inside must fail with this error number."""
    with pytest.raises(SyscallError) as caught:
        yield
    assert caught.value.errno is errno
