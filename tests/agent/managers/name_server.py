"""A name server on a UDP socket of 127.0.0.1 that answers for SRV records."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class NameServer:
    """`records` is what each name has now, as `PRIORITY WEIGHT PORT TARGET`; it may be changed."""

    def __init__(self, records: dict[str, list[str]]) -> None:
        self.records = records
        self.queries = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.sendto(b"", self.address)  # an empty datagram ends it
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            packet, client = self._socket.recvfrom(4096)
            if not packet:
                return
            self.queries += 1
            self._socket.sendto(self._answer(packet), client)

    def _answer(self, packet: bytes) -> bytes:
        query = dns.message.from_wire(packet)
        answer = dns.message.make_response(query)
        name = query.question[0].name
        records = self.records.get(name.to_text(omit_final_dot=True))
        if records is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        else:
            answer.answer.append(dns.rrset.from_text(name, 1, "IN", "SRV", *records))
        return answer.to_wire()
