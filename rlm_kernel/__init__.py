"""A sandbox server for language-model agents that people can look into."""

__all__ = ["__version__"]

__version__ = "0.1.0"
