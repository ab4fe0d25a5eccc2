"""How it is said where managers are: themselves, or what leads to them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Self, cast, get_args

from pydantic import AnyHttpUrl

Kind = Literal["dns", "srv", "claim"]

_LEADS = re.compile(rf"({'|'.join(get_args(Kind))})\+(.*)")


@dataclass(frozen=True, slots=True)
class ManagerLocation:
    """The URLs of managers, or the one URL of what leads to them.

    `kind` is None for managers themselves. Else the host of the URL is a name: for `dns` one with
    an address record for each manager, for `srv` one with an SRV record for each, for `claim` that
    of a SandboxWarmPool whose pods are claimed.
    """

    kind: Kind | None
    urls: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `URL`, `URL,URL...`, or `dns+URL` and the like. Raises ValueError."""
        lead = _LEADS.fullmatch(text.strip())
        if lead:
            return cls(cast(Kind, lead[1]), (_checked(lead[2]),))
        urls = tuple(_checked(part.strip()) for part in text.split(",") if part.strip())
        if not urls:
            raise ValueError("no URL of a manager is given")
        return cls(None, urls)

    def __str__(self) -> str:
        return f"{self.kind}+{self.urls[0]}" if self.kind else ",".join(self.urls)

    @property
    def sole_url(self) -> str | None:
        """The URL of the one manager, where it is one that is named."""
        return self.urls[0] if self.kind is None and len(self.urls) == 1 else None


def _checked(url: str) -> str:
    if "," in url or "+" in url.partition("://")[0]:
        raise ValueError("only URLs of managers themselves can be listed")
    AnyHttpUrl(url)
    return url.rstrip("/")
