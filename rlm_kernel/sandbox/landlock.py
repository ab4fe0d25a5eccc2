"""Landlock: a process that gives up every file, every TCP port and signals to others."""

from __future__ import annotations

import ctypes
import os
from struct import Struct

from rlm_kernel.sandbox.system_calls import system_call

CREATE_RULESET, RESTRICT_SELF = 444, 446
CREATE_RULESET_VERSION = 1
"""Numbers are the same on all machines; source: Linux's `include/uapi/linux/landlock.h`."""

FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights on files each version of Landlock knows; later ones know no more."""

NET_RIGHTS_SINCE, SCOPES_SINCE = 4, 6
ALL_NET_RIGHTS = ALL_SCOPES = 0b11

_RULESET = Struct("<QQQ")


def restrict_files() -> None:
    """Refuses this thread, and all that it starts, any file that is not open yet, for good.

    Raises OSError where the kernel has no Landlock.
    """
    version = system_call(CREATE_RULESET, 0, 0, CREATE_RULESET_VERSION)
    files = (1 << FILE_RIGHTS.get(version, 16)) - 1
    net = ALL_NET_RIGHTS if version >= NET_RIGHTS_SINCE else 0
    scopes = ALL_SCOPES if version >= SCOPES_SINCE else 0
    size = 24 if version >= SCOPES_SINCE else 16 if version >= NET_RIGHTS_SINCE else 8
    attributes = ctypes.create_string_buffer(_RULESET.pack(files, net, scopes)[:size], size)
    ruleset = system_call(CREATE_RULESET, ctypes.byref(attributes), size, 0)
    try:
        system_call(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
