"""Whether a kernel's own ports can be used, which listen on its machine's loopback address."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit


async def are_within_reach(manager_url: str, connection: Mapping[str, Any]) -> bool:
    """Whether the ports of a session of the manager at this URL are on this machine.

    A port that is forwarded from another one looks as if they were; nothing listens there then.
    """
    if not _is_loopback(urlsplit(manager_url).hostname or ""):
        return False
    try:
        _, writer = await asyncio.open_connection(connection["ip"], connection["shell_port"])
    except OSError:
        return False
    writer.close()
    return True


def _is_loopback(host: str) -> bool:
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
