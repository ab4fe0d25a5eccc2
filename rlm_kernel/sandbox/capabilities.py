"""Capabilities: what a process of the superuser may do beyond others."""

from __future__ import annotations

from struct import Struct

from rlm_kernel.sandbox.system_calls import checked, libc

VERSION_3 = 0x20080522
_HEADER = Struct("<Ii")
SETS_BYTES = 24
"""`struct __user_cap_header_struct`, and two of `struct __user_cap_data_struct` for 64
capabilities; source: Linux's `include/uapi/linux/capability.h`."""


def drop_capabilities() -> None:
    """Gives up every capability of this thread, for good where no new privileges can be had.

    Raises OSError.
    """
    checked(libc.capset(_HEADER.pack(VERSION_3, 0), bytes(SETS_BYTES)))
