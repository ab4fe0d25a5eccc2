"""The service's interface as its description tells of it."""

from __future__ import annotations

from rlm_kernel import errors
from rlm_kernel.http.openapi import Interface

INTERFACE = Interface(
    title="rlm-kernel agent",
    about="Questions about contexts of any length, answered by a recursive language model. Bodies "
    "are read as JSON whatever their content type, unless they are forms.",
    segments=(
        (r"([^/]+)", "{run_id}"),
        (r"([0-9a-f]{32})\.", "{run_id}."),
        (r"(ipynb|jsonl|json|txt)", "{form}"),
        (r"([a-z]+\.[a-z]+)", "{name}"),
    ),
    parameters={
        "run_id": "The id of a run.",
        "form": "ipynb, jsonl, json or txt.",
        "name": "The name of one of the page's files.",
    },
    failure=errors.AgentError,
)
