"""`python -m rlm_kernel.kernel -f FILE`."""

from __future__ import annotations

import sys

from rlm_kernel.kernel.app import main

if __name__ == "__main__":
    sys.exit(main())
