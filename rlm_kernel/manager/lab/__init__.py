"""JupyterLab at `/lab` of the manager, over the same sessions.

Only `folder` is imported with the manager; the rest, as Jupyter Server itself, when somebody first
asks for it. Of JupyterLab's own server nothing runs that installs, builds or updates something, and
there are no terminals: what a visitor can do on this machine is to read and write below one folder.
"""

__all__: list[str] = []
