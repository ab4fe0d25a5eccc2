"""Messages as JSON: strict where it can be, and always something that a client can read."""

from __future__ import annotations

import json
from typing import Any


def _plain(value: object) -> Any:
    """What stands for a value that JSON does not have."""
    # Here, as few messages hold one: to import all of this delays a kernel's start.
    from jupyter_client.jsonutil import json_default

    return json_default(value)


_TEXT = json.JSONEncoder(default=_plain, ensure_ascii=False, allow_nan=False)
_ASCII = json.JSONEncoder(default=_plain, ensure_ascii=True, allow_nan=False)
_LENIENT = json.JSONEncoder(default=_plain)
_CONSTANTS = {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}


def pack(value: Any) -> bytes:
    """The JSON of a message part.

    What JSON does not have is sent as text: floats that are not finite as "nan" or "inf", lone
    surrogates (which UTF-8 does not have either) as escapes.
    """
    try:
        return _TEXT.encode(value).encode()
    except UnicodeEncodeError:
        return _ASCII.encode(value).encode()
    except ValueError:
        return pack(_finite(value))


def unpack(data: bytes | str) -> Any:
    """The value of a message part, in UTF-8. Raises ValueError when it is not JSON."""
    if data == b"{}":  # as most are
        return {}
    return json.loads(data if isinstance(data, str) else data.decode("utf-8", "surrogatepass"))


def _finite(value: Any) -> Any:
    """The value without such floats, by the C code of `json`: it may hold millions."""
    return json.loads(_LENIENT.encode(value), parse_constant=_CONSTANTS.__getitem__)
