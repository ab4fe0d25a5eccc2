"""A zygote whose sessions try, in their own sealed process, what the seal must refuse.

Run as `python -m tests.sandbox.probing_zygote`, with the arguments of the real program, of which it
is a copy that serves one more kind of frame. Nothing of the package knows of it.
"""

from __future__ import annotations

import traceback

from rlm_kernel.guest.frames import Frame
from rlm_kernel.sandbox.zygote_process import ZygoteProcess, main
from tests.sandbox.attempts import outcomes


class ProbingZygoteProcess(ZygoteProcess):
    """Answers a `probe` frame as if it asked for a file, with what became of each attempt."""

    def _serve(self, frame: Frame) -> bool:
        if frame.kind != "probe":
            return super()._serve(frame)
        try:
            content = {"size": 0, "outcomes": outcomes(frame.content)}
        except Exception:
            content = {"size": 0, "outcomes": {"failed": traceback.format_exc()}}
        self._line.send(Frame("file_reply", frame.request_id, content, (b"",)))
        return True


if __name__ == "__main__":
    main(ProbingZygoteProcess)
