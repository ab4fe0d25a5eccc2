"""Where a kernel listens and how its messages are signed: the connection file's content."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rlm_kernel.errors import ConfigurationError
from rlm_kernel.kernel.contents import problems

Port = Literal["shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"]


class ConnectionInfo(BaseModel):
    """Connection info of the Jupyter protocol. A port of 0 is chosen when it is bound.

    `key` signs the messages; without one they are neither signed nor checked. The two curve keys
    are those of the server, in Z85; where there are some, the wire is encrypted.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    transport: Literal["tcp", "ipc"] = "tcp"
    ip: str = "127.0.0.1"
    shell_port: int = Field(default=0, ge=0, le=65535)
    iopub_port: int = Field(default=0, ge=0, le=65535)
    stdin_port: int = Field(default=0, ge=0, le=65535)
    control_port: int = Field(default=0, ge=0, le=65535)
    hb_port: int = Field(default=0, ge=0, le=65535)
    key: str = Field(default_factory=lambda: secrets.token_hex(32), repr=False)
    signature_scheme: str = "hmac-sha256"
    kernel_name: str = "rlm-kernel"
    curve_publickey: str | None = None
    curve_secretkey: str | None = Field(default=None, repr=False)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads a connection file. Raises ConfigurationError that says what is wrong with it."""
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"connection file {path}: {error}") from error
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise ConfigurationError(f"connection file {path}: {problems(error)}") from error

    def write(self, path: Path) -> None:
        """Writes a connection file that only its owner can read."""
        # Here, as most kernels are given theirs: to import all of this delays their start.
        from jupyter_client.connect import write_connection_file

        fields: dict[str, Any] = self.as_dict() | {"key": self.key.encode()}
        for name in ("curve_publickey", "curve_secretkey"):
            if name in fields:
                fields[name] = fields[name].encode()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_connection_file(str(path), **fields)

    def as_dict(self) -> dict[str, Any]:
        """What the connection file holds."""
        return self.model_dump(exclude_none=True)

    def endpoint(self, port: Port) -> str:
        """What a ZMQ socket binds or connects to; port 0 leaves the choice to the system."""
        number = getattr(self, port)
        if self.transport == "ipc":
            return f"ipc://{self.ip}-{number}"
        return f"tcp://{self.ip}:{number or '*'}"
