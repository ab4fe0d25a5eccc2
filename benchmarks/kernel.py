"""Measures this kernel and ipykernel through jupyter-client, in one run and in turns.

From start to first result, a cell's reply, control's answer, an interrupt's effect, and a first
completion. Medians, with the 10th and 90th percentiles; caches are warm after the first start.

python -m benchmarks.kernel [--starts 5] [--rounds 10] [--cells 30]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks.contender import (
    OURS,
    REFERENCE,
    Contender,
    kernelspecs,
    start_to_result,
    started,
)

CONTENDERS = (OURS, REFERENCE)
COMPLETED = "import os; os.path.jo"
LOOP = "print('running')\nwhile True: pass"


class Timings:
    """Seconds of each measurement of each contender, taken in turns."""

    def __init__(self) -> None:
        self._taken: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def take(self, what: str, name: str, seconds: float) -> None:
        self._taken[what][name].append(seconds)

    def report(self) -> None:
        print(f"{'milliseconds':<28}" + "".join(f"{name:>32}" for name in CONTENDERS) + "   ratio")
        for what, taken in self._taken.items():
            columns = "".join(f"{_summary(taken[name]):>32}" for name in CONTENDERS)
            ours, theirs = (statistics.median(taken[name]) for name in CONTENDERS)
            print(f"{what:<28}{columns}{ours / theirs:8.2f}")


def _summary(seconds: list[float]) -> str:
    low, *_, high = statistics.quantiles(seconds, n=10, method="inclusive")
    middle = statistics.median(seconds)
    return f"{middle * 1e3:.2f} ({low * 1e3:.2f} .. {high * 1e3:.2f})"


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _execute(kernel: Contender, code: str) -> float:
    """Seconds from the request to its reply; what it publishes is taken off the line after."""
    began = time.perf_counter()
    message_id = kernel.start(code)
    kernel.reply(message_id)
    taken = time.perf_counter() - began
    kernel.published(message_id)
    return taken


def _interrupt(kernel: Contender) -> float:
    """Seconds from the interrupt to the reply of the cell that it ended."""
    message_id = kernel.start(LOOP)
    kernel.until(lambda m: m["msg_type"] == "stream")
    began = time.perf_counter()
    kernel.manager.interrupt_kernel()
    kernel.reply(message_id)
    taken = time.perf_counter() - began
    kernel.published(message_id)
    return taken


def _control_while_busy(kernel: Contender) -> float:
    """Seconds of a kernel_info request on control while a cell runs."""
    running = kernel.start("print('running')\nimport time\ntime.sleep(0.2)")
    kernel.until(lambda m: m["msg_type"] == "stream")
    began = time.perf_counter()
    asked = kernel.send("kernel_info_request", channel="control")
    kernel.reply(asked, "control")
    taken = time.perf_counter() - began
    kernel.reply(running)
    kernel.published(running)
    return taken


def _complete(kernel: Contender, code: str) -> float:
    return _timed(lambda: kernel.ask("complete_request", {"code": code, "cursor_pos": len(code)}))


def measure(starts: int, rounds: int, cells: int) -> Timings:
    timings = Timings()
    with ExitStack() as stack:
        specs = stack.enter_context(kernelspecs())
        for name in CONTENDERS:
            print(f"{name}, first start: {start_to_result(specs, name):.2f} s", flush=True)
        for _ in range(starts):
            for name in CONTENDERS:
                timings.take("start to first result", name, start_to_result(specs, name))
        kernels = {name: stack.enter_context(started(specs, name)) for name in CONTENDERS}
        for name, kernel in kernels.items():
            kernel.cell("'booted'")
            seconds = _complete(kernel, COMPLETED)
            print(f"{name}, first completion: {seconds * 1e3:.1f} ms", flush=True)
        for _ in range(rounds):
            for name, kernel in kernels.items():
                for _ in range(cells):
                    timings.take("x = 1", name, _execute(kernel, "x = 1"))
                    timings.take("print(1); 2", name, _execute(kernel, "print(1)\n2"))
                timings.take("interrupt to reply", name, _interrupt(kernel))
                timings.take("kernel_info while busy", name, _control_while_busy(kernel))
                timings.take("completion", name, _complete(kernel, COMPLETED))
    return timings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--cells", type=int, default=30)
    arguments = parser.parse_args()
    measure(arguments.starts, arguments.rounds, arguments.cells).report()


if __name__ == "__main__":
    main()
