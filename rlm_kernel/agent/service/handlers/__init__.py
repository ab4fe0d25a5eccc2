"""The service's HTTP handlers, one file per subject."""

__all__: list[str] = []
