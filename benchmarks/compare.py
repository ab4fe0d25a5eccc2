"""Compares this kernel with ipykernel, feature by feature, through jupyter-client.

python -m benchmarks.compare [WORD...] [--verbose]

With words, only probes whose topic or name holds one of them. The exit status is 1 where a probe
finds this kernel worse.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, get_args

from benchmarks.contender import OURS, REFERENCE, Contender, kernelspecs, started
from benchmarks.probe import Probe, Verdict
from benchmarks.probes import PROBES

SHOWN = 2000


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe found on both kernels."""

    probe: Probe
    ours: Any
    theirs: Any

    @property
    def verdict(self) -> Verdict:
        return self.probe.verdict(self.ours, self.theirs)

    @property
    def row(self) -> str:
        why = self.probe.why if self.verdict in ("better", "refused") else ""
        return f"{self.verdict:<8}{self.probe.topic:<10}{self.probe.name}{why and f'  ({why})'}"


def chosen(words: Sequence[str]) -> list[Probe]:
    """The probes that hold one of the words; all where there are none."""
    return [
        probe
        for probe in PROBES
        if not words or any(word in f"{probe.topic} {probe.name}" for word in words)
    ]


def compare(probes: Sequence[Probe]) -> Iterator[Finding]:
    """Runs each probe on both kernels, in turn."""
    with ExitStack() as stack:
        specs = stack.enter_context(kernelspecs())
        ours, theirs = (stack.enter_context(started(specs, name)) for name in (OURS, REFERENCE))
        for probe in probes:
            yield Finding(probe, observed(probe, ours), observed(probe, theirs))


def observed(probe: Probe, kernel: Contender) -> Any:
    """What the probe sees; where it fails, the error's text."""
    try:
        return probe.observe(kernel)
    except Exception as error:  # what a kernel answers may be anything
        return f"{type(error).__name__}: {error}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--verbose", action="store_true", help="show both sides where they differ")
    options = parser.parse_args(arguments)
    counts = Counter[Verdict]()
    for finding in compare(chosen(options.words)):
        counts[finding.verdict] += 1
        print(finding.row, flush=True)
        if finding.verdict == "worse" or (options.verbose and finding.verdict != "same"):
            print(f"  ours:   {_text(finding.ours)}\n  theirs: {_text(finding.theirs)}", flush=True)
    print(", ".join(f"{counts[verdict]} {verdict}" for verdict in get_args(Verdict)))
    return 1 if counts["worse"] else 0


def _text(observation: Any) -> str:
    text = json.dumps(observation, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


if __name__ == "__main__":
    sys.exit(main())
