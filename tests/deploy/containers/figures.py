"""What the pod costs: `python -m tests.deploy.containers.figures` measures it and prints a table.

Needs root, and the images as `make test-containers` leaves them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.deploy.containers.engine import IMAGES, Engine
from tests.deploy.containers.pod import MANAGER, Pod

SESSIONS = (0, 50, 200)
CELL = "import json, re; data = list(range(10_000)); len(data)"
MIB = 1 << 20


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine.at(Path(folder))
        for line in figures(engine, Path(folder)):
            print(line, flush=True)


def figures(engine: Engine, folder: Path) -> Iterator[str]:
    load = os.getloadavg()[0]
    yield f"{os.cpu_count()} CPUs, load average {load:.1f} at the start"
    for image in IMAGES:
        size = int(engine("image", "inspect", "--format={{.Size}}", image))
        yield f"{image}: {size / 1e6:.0f} MB"
    settings = {"wasm-manager": {"MAX_SESSIONS": str(max(SESSIONS))}}
    with Pod(engine, "rlm-figures", folder, settings=settings) as pod:
        yield f"cold start of the pod, to ready: {pod.ready():.1f} s"
        yield from _memory(pod)


def _memory(pod: Pod) -> Iterator[str]:
    made: list[str] = []
    idle = 0
    for count in SESSIONS:
        while len(made) < count:
            made.append(pod.request("POST", f"{MANAGER}/session").json()["session_id"])
            answer = pod.request(
                "POST", f"{MANAGER}/session/{made[-1]}/execute", json={"code": CELL}
            )
            assert answer.json()["status"] == "ok", answer.text
        used, files = _used(pod)
        each = f", {(used - idle) / count / MIB:.1f} MiB each" if count else ""
        idle = idle or used
        yield (
            f"memory of the manager's container with {count} sessions: "
            f"{used / MIB:.0f} MiB{each} (and {files / MIB:.0f} MiB of files that can be dropped)"
        )


def _used(pod: Pod) -> tuple[int, int]:
    """Bytes that count against the limit and cannot be dropped, and those of files that can."""
    pid = int(pod.inspect("wasm-manager")["State"]["Pid"])
    group = _control_group(pid)
    lines = (group / "memory.stat").read_text().splitlines()
    facts = {name: int(value) for name, value in (line.split() for line in lines)}
    version_2 = (group / "memory.current").exists()
    total = group / ("memory.current" if version_2 else "memory.usage_in_bytes")
    prefix = "" if version_2 else "total_"
    files = facts[f"{prefix}inactive_file"] + facts[f"{prefix}active_file"]
    return int(total.read_text()) - files, files


def _control_group(pid: int) -> Path:
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return Path("/sys/fs/cgroup/memory") / path.lstrip("/")
    return Path("/sys/fs/cgroup") / path.lstrip("/")


if __name__ == "__main__":
    main()
