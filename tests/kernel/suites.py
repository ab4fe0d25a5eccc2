"""The suites of other projects, from their published source distributions."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from rlm_kernel.cache import locked, private_directory
from rlm_kernel.kernel import kernelspec
from rlm_kernel.progress import SILENT

IPYKERNEL = (
    "ipykernel",
    "7.4.0",
    "4330114d22b9b33575b2c7c68753fc8faabbbcfbc60b0cdff9f14dd4ce63742f",
)
NBCLIENT = (
    "nbclient",
    "0.11.0",
    "04a134a5b087f2c5887f228aca155db50169b8cd9334dee6942c8e927e56081a",
)

DIFFERENCES = Path(__file__).parents[2] / "docs" / "suites.md"

BACKEND = """
import email, pathlib

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    text = pathlib.Path("PKG-INFO").read_text()
    fields = email.message_from_string(text)
    folder = pathlib.Path(directory) / f"{fields['Name']}-{fields['Version']}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(text)
    return folder.name
"""
"""Stands for hatchling: pip asks for the metadata of what it downloads, for which projects need
build requirements of their own. The metadata of a source distribution are within it."""


def unpacked(name: str, version: str, sha256: str) -> Path:
    """The folder of a source distribution, fetched by pip once and verified."""
    directory = private_directory("suites")
    folder = directory / f"{name}-{version}"
    with locked(directory / name, SILENT):
        if not folder.is_dir():
            with TemporaryDirectory(dir=directory) as scratch:
                _fetch(f"{name}=={version} --hash=sha256:{sha256}\n", Path(scratch))
                (archive,) = Path(scratch).glob("*.tar.gz")
                with tarfile.open(archive) as files:
                    files.extractall(scratch, filter="data")
                (Path(scratch) / folder.name).rename(folder)
    return folder


def outcomes(folder: Path, jupyter_path: Path, *arguments: str) -> dict[str, str]:
    """What became of each test that pytest runs there: `passed`, `failed` or `skipped`, by id."""
    with TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        command = [sys.executable, "-m", "pytest", "--noconftest", "-c", os.devnull, "--rootdir=."]
        options = ["-p", "no:cacheprovider", f"--junitxml={report}"]
        paths = {"JUPYTER_PATH": str(jupyter_path), "IPYTHONDIR": scratch}
        subprocess.run(
            [*command, *options, *arguments],
            cwd=folder,
            env={**os.environ, **paths, "PYTHONDONTWRITEBYTECODE": "1"},
            check=False,
        )
        cases = ElementTree.parse(report).getroot().iter("testcase")
        return {_id(case): _outcome(case) for case in cases}


def _id(case: ElementTree.Element) -> str:
    return f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"


def _outcome(case: ElementTree.Element) -> str:
    troubles = {child.tag for child in case} & {"failure", "error", "skipped"}
    return "passed" if not troubles else "skipped" if troubles == {"skipped"} else "failed"


def listed(suite: str) -> set[str]:
    """What the documentation lists as other than in ipykernel, in the table of this suite."""
    _, _, rest = DIFFERENCES.read_text().partition(f"\n## {suite}\n")
    section, _, _ = rest.partition("\n## ")
    return set(re.findall(r"^\| `(.+?)` \|", section, re.MULTILINE))


def _fetch(requirement: str, scratch: Path) -> None:
    (scratch / "requirements.txt").write_text(requirement)
    (scratch / "hatchling").mkdir()
    (scratch / "hatchling" / "__init__.py").touch()
    (scratch / "hatchling" / "build.py").write_text(BACKEND)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
    options = ["--no-binary=:all:", "--no-build-isolation", "--disable-pip-version-check"]
    files = ["--dest", str(scratch), "--require-hashes", "-r", str(scratch / "requirements.txt")]
    subprocess.run(
        [*command, *options, *files],
        env={**os.environ, "PYTHONPATH": str(scratch)},
        check=True,
    )


def install_as(name: str, prefix: Path) -> Path:
    """Installs our kernelspec under another name; returns the folder for JUPYTER_PATH."""
    folder = kernelspec.install(prefix=prefix)
    other = folder.with_name(name)
    shutil.move(folder, other)
    assert json.loads((other / "kernel.json").read_text())["argv"][3] == "rlm_kernel.kernel"
    return other.parents[1]
