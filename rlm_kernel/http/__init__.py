"""What both of our HTTP servers do alike: the way in, limits, errors, counts, and descriptions."""

__all__: list[str] = []
