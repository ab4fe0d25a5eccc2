"""Models, how they fail and what they charge; one that is served on this machine."""

__all__: list[str] = []
