"""The network that there is none of, where a plain failure would look like success."""

from __future__ import annotations

from rlm_kernel.emscripten.imports import imported

EAI_FAIL = -4
"""Source: musl's `include/netdb.h`."""


class NetworkCalls:
    """Names that no resolver knows. Sockets fail as system calls that are not provided."""

    @imported("getaddrinfo", "IIII", "i")
    def getaddrinfo(self, node: int, service: int, hints: int, result: int) -> int:
        return EAI_FAIL

    @imported("getnameinfo", "IIIIIIi", "i")
    def getnameinfo(self, *_arguments: int) -> int:
        return EAI_FAIL
