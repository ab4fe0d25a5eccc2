"""What went wrong at each of several managers, and what that comes to."""

from __future__ import annotations

from collections.abc import Mapping

from rlm_kernel.errors import (
    FetchError,
    ManagerError,
    ManagerUnavailable,
    RLMKernelError,
    TooManySessions,
    TryLater,
    ZygoteError,
)

Faults = dict[str, BaseException]
"""Errors by the URL of the manager."""


def is_passing(error: BaseException) -> bool:
    """Whether another manager may well do what one has failed to do with this error."""
    if isinstance(error, ManagerUnavailable | TryLater | ZygoteError | FetchError | TimeoutError):
        return True
    return type(error) is ManagerError  # a fault within the manager, or what is none


def verdict(faults: Mapping[str, BaseException]) -> RLMKernelError:
    """What to tell of managers none of which could take a session."""
    if not faults:
        return ManagerUnavailable("there is no manager")
    full = [error for error in faults.values() if isinstance(error, TooManySessions)]
    if len(full) == len(faults):
        waits = [error.retry_after for error in full if error.retry_after is not None]
        return TooManySessions(
            f"all managers are full: {reasons(faults)}", min(waits, default=None)
        )
    return ManagerUnavailable(f"no manager can take a session: {reasons(faults)}")


def reasons(faults: Mapping[str, BaseException]) -> str:
    """All of them in one line."""
    return "; ".join(
        f"{url}: {str(error) or type(error).__name__}" for url, error in sorted(faults.items())
    )
