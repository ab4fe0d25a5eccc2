"""Functions of the host as code here calls them: by their names, with what they raise."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from typing import Any

from rlm_kernel.guest.host import HostCallError

Ask = Callable[[tuple[Any, ...], dict[str, Any]], Any]


def host_function(
    described: Mapping[str, str], ask: Ask, raised: Callable[[HostCallError], Exception]
) -> Callable[..., Any]:
    """A function with the `name`, `signature` and `doc` of `described`, whose calls `ask` makes.

    Where the host fails it raises what `raised` makes of that.
    """

    def function(*args: Any, **kwargs: Any) -> Any:
        try:
            return ask(args, kwargs)
        except HostCallError as error:
            raise raised(error) from None

    name = function.__name__ = function.__qualname__ = described["name"]
    function.__doc__ = f"{name}{described['signature']}\n\n{described['doc']}".rstrip()
    return function


def as_known(
    error: HostCallError, made: Callable[[type[Exception]], Exception], other: Exception
) -> Exception:
    """What `made` makes of Python's own class of the error's name.

    It is `other` where there is no such class, or none that is made of a text.
    """
    known = getattr(builtins, error.ename, None)
    if not (isinstance(known, type) and issubclass(known, Exception)):
        return other
    try:
        return made(known)
    except TypeError:
        return other
