"""Runs the hostile corpus here and in Pyodide under Node, and prints a table of what became of it.

python -m benchmarks.hostile_in_node --pyodide node_modules/pyodide [--only TEXT] [--jobs 2]

Needs `node` and the npm package `pyodide`. There, each program gets a process of its own; a program
that uses IPython or the session's own modules cannot run there.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rlm_kernel.sandbox import Sandbox
from tests.hostile.conftest import LIMITS
from tests.hostile.program import Program
from tests.hostile.test_corpus import THEMES, outcome

NODE_PROGRAM = """
const { loadPyodide } = await import(process.argv[1] + '/pyodide.mjs');
const code = await new Promise(done => {
  let text = ''; process.stdin.on('data', d => text += d).on('end', () => done(text)); });
const say = result => process.stderr.write('\\nOUTCOME ' + JSON.stringify(result) + '\\n');
const pyodide = await loadPyodide({ stdout: () => {}, stderr: () => {} });
say({ kind: 'started' });
let kind = 'ok';
try { await pyodide.runPythonAsync(code); }
catch (error) {
  kind = error.constructor.name === 'PythonError' ? error.type
    : 'crash (' + error.constructor.name + ')';
}
say({ kind });
try { say({ kind, alive: pyodide.runPython('6 * 7') === 42 }); }
catch (error) { say({ kind, alive: false }); }
process.exit(0);
"""

BOOT_SECONDS = 20.0
NODE_SECONDS = 20.0
"""What an ordinary program may take there; an endless one gets its own time."""

ONLY_HERE = re.compile(r"get_ipython|IPython|rlm_kernel|^%|= !|/dev/owner", re.MULTILINE)


def here(program: Program) -> str:
    with Sandbox(LIMITS) as box:
        return outcome(box.execute(program.code, timeout=program.seconds))


def in_node(program: Program, pyodide: Path) -> str:
    if ONLY_HERE.search(program.code):
        return "-"
    command = ["node", "--input-type=module", "-e", NODE_PROGRAM, str(pyodide.resolve())]
    limit = BOOT_SECONDS + min(program.seconds, NODE_SECONDS)
    try:
        ended = subprocess.run(
            command, input=program.code.encode(), capture_output=True, timeout=limit
        )
        said, status = ended.stderr, ended.returncode
    except subprocess.TimeoutExpired as error:
        said, status = error.stderr or b"", None
    return verdict(said.decode(errors="replace"), status)


def verdict(said: str, status: int | None) -> str:
    """What Node's process said of the program, or that it said nothing."""
    outcomes = [json.loads(line) for line in re.findall("^OUTCOME (.*)$", said, re.MULTILINE)]
    if not outcomes:
        return "did not start"
    last = outcomes[-1]
    if last["kind"] == "started":
        return "hang" if status is None else f"crash (Node ended with status {status})"
    if "alive" not in last:
        return f"{last['kind']}, then hang"
    return str(last["kind"] or "exception") + ("" if last["alive"] else ", then dead")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--pyodide", type=Path, required=True, help="folder of the npm package")
    parser.add_argument("--only", default="", help="run programs whose name contains this")
    parser.add_argument("--jobs", type=int, default=2, help="processes of Node at once")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    themed = [
        (theme.__name__.rpartition(".")[2], program)
        for theme in THEMES
        for program in theme.PROGRAMS
        if options.only in program.name
    ]
    with ThreadPoolExecutor(options.jobs) as pool:
        there = pool.map(lambda each: in_node(each[1], options.pyodide), themed)
        print("| theme | program | here | Pyodide in Node |\n| --- | --- | --- | --- |")
        for (theme, program), upstream in zip(themed, there, strict=True):
            print(f"| {theme} | {program.name} | {here(program)} | {upstream} |", flush=True)


if __name__ == "__main__":
    main()
