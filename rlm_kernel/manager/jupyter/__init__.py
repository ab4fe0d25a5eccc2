"""Jupyter Server on the manager's sessions: its own handlers over kernels that are ours.

Only `entrance` and `loading` are imported with the manager. The rest needs Jupyter Server, which
takes a second to import, and is imported when somebody first asks for one of its routes.
"""

__all__: list[str] = []
