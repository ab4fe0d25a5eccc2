"""Connection files: what `jupyter console --existing FILE` needs to attach to a session."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def connection_file(session_id: str, connection: Mapping[str, Any]) -> Iterator[Path]:
    """A connection file in Jupyter's runtime folder, readable by its owner only, for a while."""
    from jupyter_core.paths import jupyter_runtime_dir, secure_write

    path = Path(jupyter_runtime_dir()) / f"kernel-{session_id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with secure_write(str(path)) as file:
            json.dump(dict(connection), file)
        yield path
    finally:
        path.unlink(missing_ok=True)
