"""The official library's own types and logger, as readers and writers of a log."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rlm.core.types import CodeBlock, REPLResult, RLMChatCompletion, RLMIteration, RLMMetadata
from rlm.logger import RLMLogger

Entry = dict[str, Any]

ITERATION = ("prompt", "response", "final_answer", "iteration_time")
RESULT = ("stdout", "stderr", "locals", "execution_time", "final_answer")


def written_by_the_library(entries: Iterable[Entry], folder: Path) -> list[Entry]:
    """What the library's logger writes of a log of ours that its types have read."""
    logger = RLMLogger(str(folder))
    for entry in entries:
        if entry["type"] == "metadata":
            fields = RLMMetadata.__dataclass_fields__
            logger.log_metadata(RLMMetadata(**{key: entry[key] for key in fields}))
        else:
            blocks = [_block(each) for each in entry["code_blocks"]]
            known = {key: entry[key] for key in ITERATION}
            logger.log(RLMIteration(code_blocks=blocks, **known))
    written = Path(logger.log_file_path).read_text()
    return [json.loads(line) for line in written.splitlines()]


def _block(entry: Entry) -> CodeBlock:
    known = {key: entry["result"][key] for key in RESULT}
    calls = [RLMChatCompletion.from_dict(call) for call in entry["result"]["rlm_calls"]]
    return CodeBlock(entry["code"], REPLResult(**known, rlm_calls=calls))
