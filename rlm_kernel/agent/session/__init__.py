"""A manager's session as the place where a run's code runs."""

__all__: list[str] = []
