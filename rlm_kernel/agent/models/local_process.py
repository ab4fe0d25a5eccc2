"""The program of the child process that serves a GGUF file: llama.cpp's own HTTP server.

Run by `rlm_kernel.agent.models.local`, by path, so it imports nothing of this package. It reads one
line of JSON from stdin (`path`, `n_ctx`, `threads`, `api_key`), loads the model, writes one of JSON
with the server's `url` to stdout, and serves until stdin ends, which it does whenever the parent
does.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from typing import Any

_PROMPT_CACHE_MIB = 512


def main() -> None:
    """Serve until stdin ends. A model that cannot be loaded ends the process with status 1."""
    orders = json.loads(sys.stdin.readline())
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what llama.cpp prints is log, wherever it prints it
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    server = _serve(orders)
    print(json.dumps({"url": server.listening_address}), file=report, flush=True)
    threading.Event().wait()


def _exit_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def _serve(orders: dict[str, Any]) -> Any:
    xllamacpp: Any = importlib.import_module("xllamacpp")  # it has no types
    params = xllamacpp.CommonParams()
    params.model.path = orders["path"]
    params.n_ctx = orders["n_ctx"]
    for threads in (params.cpuparams, params.cpuparams_batch):
        threads.n_threads = orders["threads"]
        threads.poll = 0  # waiting by spinning is no faster, and takes cores from the sessions
    params.n_parallel = 1
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [orders["api_key"]]
    params.ui = params.endpoint_slots = False
    params.cache_ram_mib = _PROMPT_CACHE_MIB  # the main conversation survives a sub-call
    # Weights are used as they lie in the file: repacking them takes seconds and a second copy.
    params.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_MMAP
    params.no_extra_bufts = True
    params.fit_params = params.warmup = False
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
