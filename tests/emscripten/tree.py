"""A small file system to find one's way in."""

from __future__ import annotations

from rlm_kernel.emscripten import Directory, FileSystem, Node, Quota, Symlink, expect_file


def tree(*paths: str, quota_bytes: int = 1 << 20) -> FileSystem:
    """Directories (`a/b/`), links (`a/link -> target`) and files that contain their own path."""
    files = FileSystem(Quota(quota_bytes))
    for path in paths:
        if path.endswith("/"):
            files.make_directories(path)
        elif " -> " in path:
            name, _, target = path.partition(" -> ")
            files.make_symlink(name, None, target)
        else:
            file = files.make_file(path, None, 0o644)
            file.write_at(0, path.encode())
    return files


def content(files: FileSystem, path: str) -> str:
    file = expect_file(files.resolve(path))
    return bytes(file.read_at(0, file.size)).decode()


def listing(files: FileSystem) -> list[str]:
    """Every path of the tree, in the form that `tree` takes."""
    return sorted(_below(files.root, ""))


def _below(directory: Directory, prefix: str) -> list[str]:
    found: list[str] = []
    for name, node in directory.entries.items():
        found.append(prefix + _described(name, node))
        if isinstance(node, Directory):
            found += _below(node, f"{prefix}{name}/")
    return found


def _described(name: str, node: Node) -> str:
    if isinstance(node, Symlink):
        return f"{name} -> {node.target}"
    return f"{name}/" if isinstance(node, Directory) else name
