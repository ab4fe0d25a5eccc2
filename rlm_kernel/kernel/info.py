"""What the kernel says about itself."""

from __future__ import annotations

from rlm_kernel import __version__
from rlm_kernel.kernel.message import PROTOCOL_VERSION, Content

PYTHON_VERSION, IPYTHON_VERSION = "3.14.2", "9.18.1"
"""Of the guest, whose release and wheels are pinned; known before it has booted."""


def kernel_info() -> Content:
    """The content of a `kernel_info_reply`.

    The implementation is IPython, since that is what clients turn their IPython features on for.
    """
    return {
        "status": "ok",
        "protocol_version": PROTOCOL_VERSION,
        "implementation": "ipython",
        "implementation_version": IPYTHON_VERSION,
        "banner": f"rlm-kernel {__version__}: Python {PYTHON_VERSION} in WebAssembly, "
        f"IPython {IPYTHON_VERSION}\n",
        "language_info": {
            "name": "python",
            "version": PYTHON_VERSION,
            "mimetype": "text/x-python",
            "file_extension": ".py",
            "pygments_lexer": "ipython3",
            "codemirror_mode": {"name": "ipython", "version": 3},
            "nbconvert_exporter": "python",
        },
        "help_links": [
            {"text": "Python reference", "url": "https://docs.python.org/3.14"},
            {"text": "IPython reference", "url": "https://ipython.readthedocs.io/en/stable"},
        ],
        "debugger": False,
        "supported_features": ["kernel subshells"],
    }
