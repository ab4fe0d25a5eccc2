"""Measures Python itself, side by side: in a session, in Pyodide on Node, and native.

Each program runs in the three by turns; the best of all rounds counts. Pyodide on Node is measured
where `node` and `npm` are; its package is fetched once, into the cache.

python -m benchmarks.cpu [--quick]
"""

from __future__ import annotations

import argparse
import math
import subprocess
from collections.abc import Sequence

from benchmarks.interpreters import Interpreter, Native, PyodideOnNode, Session, Unavailable

PROGRAMS = {
    "fib(25)": """
        def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
        def work(): fib(25)
    """,
    "loop of 1M": """
        def work():
            total = 0
            for number in range(1_000_000): total += number
    """,
    "200k of dict and str": """
        def work():
            numbers = {str(n): n for n in range(200_000)}
            return sum(numbers[str(n)] for n in range(200_000))
    """,
    "sort 200k floats": """
        import random
        numbers = [random.Random(n).random() for n in range(200_000)]
        def work(): sorted(numbers)
    """,
    "regex findall": """
        import re
        text = 'the quick brown fox is jumping over a sleeping dog ' * 2_000
        def work(): re.findall(r'\\b\\w+ing\\b', text)
    """,
    "json round trip": """
        import json
        data = [{'id': n, 'name': f'item {n}', 'tags': ['a'], 'at': n / 7} for n in range(9_000)]
        def work(): json.loads(json.dumps(data))
    """,
    "300k calls of methods": """
        class Counter:
            def __init__(self): self.count = 0
            def add(self, n): self.count += n
        def work():
            counter = Counter()
            for n in range(300_000): counter.add(n)
    """,
    "100k raise and except": """
        def work():
            for n in range(100_000):
                try: raise ValueError(n)
                except ValueError: pass
    """,
    "500k of float math": """
        import math
        def work():
            total = 0.0
            for n in range(500_000): total += math.sin(n) * math.sqrt(n)
    """,
    "sha256 of 20 MB": """
        import hashlib
        data = bytes(20_000_000)
        def work(): hashlib.sha256(data).digest()
    """,
}


def available() -> list[Interpreter]:
    interpreters: list[Interpreter] = []
    for kind in (Session, PyodideOnNode, Native):
        try:
            interpreters.append(kind())
        except (Unavailable, OSError, subprocess.SubprocessError) as reason:
            print(f"{kind.name}: not measured, {reason}")
    return interpreters


def best(interpreters: Sequence[Interpreter], program: str, rounds: int) -> list[float]:
    """Milliseconds of the best round of each."""
    times = [[each.milliseconds(program) for each in interpreters] for _ in range(rounds)]
    return [min(of_one) for of_one in zip(*times, strict=True)]


def compare(interpreters: Sequence[Interpreter], rounds: int) -> None:
    print(f"{'best of ' + str(rounds) + ', ms':<24}", *(f"{i.name:>16}" for i in interpreters))
    results = []
    for name, program in PROGRAMS.items():
        results.append(best(interpreters, program, rounds))
        print(f"{name:<24}", *(f"{ms:16.1f}" for ms in results[-1]), flush=True)
    for position, other in enumerate(interpreters[1:], 1):
        logs = [math.log(row[0] / row[position]) for row in results]
        mean = math.exp(sum(logs) / len(logs))
        print(f"{interpreters[0].name} / {other.name}: {mean:.2f} (geometric mean)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="one round, to see that it works")
    rounds = 1 if parser.parse_args().quick else 7
    interpreters = available()
    try:
        compare(interpreters, rounds)
    finally:
        for interpreter in interpreters:
            interpreter.close()


if __name__ == "__main__":
    main()
