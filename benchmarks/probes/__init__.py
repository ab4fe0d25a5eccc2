"""All probes: one for each feature of the Jupyter protocol and of IPython."""

from __future__ import annotations

from benchmarks.probe import Probe
from benchmarks.probes import cells, control, displays, magics, requests, widgets

PROBES: list[Probe] = [
    *cells.PROBES.all,
    *displays.PROBES.all,
    *magics.PROBES.all,
    *requests.PROBES.all,
    *widgets.PROBES.all,
    *control.PROBES.all,
]
