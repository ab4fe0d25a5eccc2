"""Output that goes past Python's streams."""

from __future__ import annotations

from rlm_kernel.sandbox import Sandbox


def test_what_is_written_to_the_descriptors_is_shown_when_the_cell_ends(
    shared_box: Sandbox,
) -> None:
    code = """
import faulthandler, os, sys
os.write(1, "é".encode() * 50_000)
os.write(2, b"warning\\n")
__import__("io").open(1, "w", closefd=False).write("!")
faulthandler.dump_traceback()
print("first", end=" ", flush=True)
"""
    result = shared_box.execute(code)
    assert result.stdout == "first " + "é" * 50_000 + "!"
    assert result.stderr.startswith("warning\nCurrent thread")
    assert shared_box.execute("1").stdout == ""


def test_no_file_of_the_cells_own_is_taken_for_it(box: Sandbox) -> None:
    code = """
import os
os.closerange(4, 100)
files = [open(f"file{n}", "w+") for n in range(10)]
for file in files: file.write("mine"); file.flush()
os.close(1)
"""
    box.execute(code)
    assert (
        box.execute("[os.path.getsize(file.name) for file in files] == [4] * 10").result == "True"
    )
    assert box.execute("print('still')").stdout == "still\n"
