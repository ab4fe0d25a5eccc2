"""The images, built once, and a pod that is there for all who leave it as it was."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.deploy.containers.engine import IMAGES, Engine
from tests.deploy.containers.pod import Pod

TOOLS = ("podman", "runc", "mmdebstrap", "nft", "ip")


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """podman, with a base image. What is missing fails: whoever runs these tests wants them run."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        pytest.fail(f"needs root, and lacks {', '.join(missing) or 'nothing else'}; see .ci/run")
    engine = Engine.at(tmp_path_factory.mktemp("podman"))
    engine.ensure_base()
    return engine


@pytest.fixture(scope="session")
def images(engine: Engine) -> Iterator[tuple[str, ...]]:
    """Both, built without a network."""
    for image in IMAGES:
        print(f"\n{image}: built in {engine.build(image):.0f} s")
    yield tuple(IMAGES)
    engine("image", "prune", "--force", "--filter=until=24h")  # what former builds have left


@pytest.fixture(scope="session")
def pod(
    engine: Engine, images: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pod]:
    """Ready."""
    with Pod(engine, "rlm-test", tmp_path_factory.mktemp("pod")) as pod:
        print(f"\nthe pod is ready after {pod.ready():.1f} s")
        yield pod
