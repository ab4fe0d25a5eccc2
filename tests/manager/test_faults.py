"""Errors across HTTP: the table holds every error, and both directions agree."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rlm_kernel import errors
from rlm_kernel.http.faults import STATUS_OF, body_of, error_of, status_of
from rlm_kernel.http.messages import Fault


def with_subclasses(kind: type[errors.RLMKernelError]) -> Iterator[type[errors.RLMKernelError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from with_subclasses(child)


def test_every_error_of_the_manager_has_its_own_status() -> None:
    # A client that gets no answer has nothing that a status could be on.
    unanswered = set(with_subclasses(errors.ManagerUnavailable))
    expected = set(with_subclasses(errors.ManagerError)) - unanswered
    assert expected <= set(STATUS_OF)


@pytest.mark.parametrize("kind", STATUS_OF)
def test_an_error_comes_out_as_it_went_in(kind: type[errors.RLMKernelError]) -> None:
    came_out = error_of(body_of(kind("what happened")).error)
    assert type(came_out) is kind
    assert str(came_out) == "what happened"


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in with_subclasses(errors.RLMKernelError)]
    assert len(codes) == len(set(codes))


def test_an_unknown_code_is_still_an_error_of_the_manager() -> None:
    error = error_of(Fault(code="from_the_future", message="something new"))
    assert type(error) is errors.ManagerError
    assert str(error) == "something new"


def test_a_subclass_has_the_status_of_its_base() -> None:
    assert status_of(errors.IntegrityError("x")) == STATUS_OF[errors.FetchError]


def test_what_is_not_in_the_table_is_a_failure_of_the_manager() -> None:
    assert status_of(errors.ConfigurationError("x")) == 500
