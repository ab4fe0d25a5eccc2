"""`python -m rlm_kernel` is the command `rlm-kernel`."""

from __future__ import annotations

import sys

from rlm_kernel.cli import main

sys.exit(main())
