"""A kernel's WebSocket from the other end, in the frames that Jupyter Server's own code makes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, cast

import websocket
from jupyter_client.session import Session
from jupyter_server.services.kernels.connection import base

V1 = "v1.kernel.websocket.jupyter.org"
PATIENCE = 60.0

framing: Any = base  # its functions have no types

Wire = dict[str, Any]


class SocketClient:
    """One WebSocket on a session's kernel; `v1` is which of the two framings it speaks."""

    def __init__(
        self,
        url: str,
        session: str,
        *,
        v1: bool = True,
        header: Mapping[str, str] | None = None,
        query: str = "",
        client_id: str | None = None,
    ) -> None:
        self.v1 = v1
        self.signer = Session(key=b"", **({"session": client_id} if client_id else {}))
        address = url.replace("http", "ws", 1)
        self.socket = websocket.create_connection(
            f"{address}/api/kernels/{session}/channels?session_id={self.signer.session}{query}",
            timeout=PATIENCE,
            subprotocols=[V1] if v1 else [],
            header=dict(header or {}),
            suppress_origin=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()
        self.vanish()  # which `close` leaves out where the other end closed first

    @property
    def client_id(self) -> str:
        return str(self.signer.session)

    def vanish(self) -> None:
        """Is gone without a word, as when the network is."""
        self.socket.shutdown()  # type: ignore[no-untyped-call]

    def closing(self) -> tuple[int, str]:
        """The code and the reason with which the manager closes the WebSocket."""
        opcode, data = self.socket.recv_data()
        while opcode != websocket.ABNF.OPCODE_CLOSE:
            opcode, data = self.socket.recv_data()
        return int.from_bytes(data[:2], "big"), data[2:].decode()

    def send(self, kind: str, content: Wire, channel: str = "shell", *buffers: bytes) -> str:
        """Sends a message and gives its id."""
        message = self.signer.msg(kind, content)
        names = ("header", "parent_header", "metadata", "content")
        if self.v1:
            parts = [self.signer.pack(message[name]) for name in names]
            self.socket.send_binary(framing.serialize_msg_to_ws_v1([*parts, *buffers], channel))
        elif buffers:
            whole = {**message, "channel": channel, "buffers": list(buffers)}
            self.socket.send_binary(framing.serialize_binary_message(whole))
        else:
            whole = {name: message[name] for name in names} | {"channel": channel}
            self.socket.send(self.signer.pack(whole).decode())
        return str(message["header"]["msg_id"])

    def receive(self) -> Wire:
        """The next message, with its channel."""
        frame = self.socket.recv()
        if not frame:
            raise EOFError("the manager closed the WebSocket")
        if not self.v1:
            whole = (
                json.loads(frame)
                if isinstance(frame, str)
                else framing.deserialize_binary_message(frame)
            )
            return cast(Wire, whole)
        channel, parts = framing.deserialize_msg_from_ws_v1(frame)
        names = ("header", "parent_header", "metadata", "content")
        message: Wire = dict(zip(names, map(json.loads, parts[:4]), strict=True))
        return message | {"channel": channel, "buffers": parts[4:]}

    def until(self, wanted: Callable[[Wire], bool]) -> list[Wire]:
        """All messages up to the first that is wanted, which is the last of them."""
        messages = [self.receive()]
        while not wanted(messages[-1]):
            messages.append(self.receive())
        return messages

    def ask(self, kind: str, content: Wire, channel: str = "shell") -> list[Wire]:
        """What a request brings until both its reply and its idle status are there."""
        message_id = self.send(kind, content, channel)
        left = {f"{kind.removesuffix('_request')}_reply", "status"}

        def ends(message: Wire) -> bool:
            if message["parent_header"].get("msg_id") == message_id and (
                kind_of(message) != "status" or message["content"]["execution_state"] == "idle"
            ):
                left.discard(kind_of(message))
            return not left

        return self.until(ends)

    def execute(self, code: str, **content: Any) -> list[Wire]:
        return self.ask("execute_request", {"code": code, **content})


def is_idle(message: Wire) -> bool:
    """Whether a cell has ended by this."""
    return bool(message["content"].get("execution_state") == "idle")


def kind_of(message: Wire) -> str:
    return str(message["header"]["msg_type"])


def text_of(messages: list[Wire]) -> str:
    """What was printed."""
    return "".join(m["content"]["text"] for m in messages if kind_of(m) == "stream")
