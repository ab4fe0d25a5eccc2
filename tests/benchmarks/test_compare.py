"""This kernel beside ipykernel, feature by feature; `python -m benchmarks.compare` has them all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from benchmarks.compare import Finding, observed
from benchmarks.contender import OURS, REFERENCE, Contender, kernelspecs, started
from benchmarks.probe import Probe
from benchmarks.probes import PROBES

QUICK = [probe for probe in PROBES if probe.topic != "control"]
"""Those on control wait for what ipykernel does not do."""


@pytest.fixture(scope="module")
def kernels() -> Iterator[tuple[Contender, Contender]]:
    with ExitStack() as stack:
        specs = stack.enter_context(kernelspecs())
        yield (
            stack.enter_context(started(specs, OURS)),
            stack.enter_context(started(specs, REFERENCE)),
        )


@pytest.mark.parametrize("probe", QUICK, ids=lambda probe: f"{probe.topic}: {probe.name}")
def test_it_is_no_worse_than_ipykernel_in(
    probe: Probe, kernels: tuple[Contender, Contender]
) -> None:
    ours, theirs = kernels
    finding = Finding(probe, observed(probe, ours), observed(probe, theirs))
    assert finding.verdict != "worse", f"ours: {finding.ours}\ntheirs: {finding.theirs}"
