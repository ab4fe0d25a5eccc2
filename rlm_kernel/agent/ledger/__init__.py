"""What a tree of runs may take, and what it took."""

__all__: list[str] = []
