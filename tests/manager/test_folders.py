"""Folders of a session over HTTP: listed, removed, and as archives."""

from __future__ import annotations

import io
import os
import tarfile
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.manager.test_sessions import run

TREE = """
import os
os.makedirs('top/sub/empty')
for name, data in {'top/a': b'a' * 600, 'top/sub/b': b'', 'top/sub/c': b'c' * 512}.items():
    with open(name, 'wb') as f:
        _ = f.write(data)
os.chmod('top/a', 0o751)
os.utime('top/a', (1, 1_000_000_000))
os.symlink('../a', 'top/sub/link')
with open(b'top/\\xff \\xc3\\xa9?', 'wb') as f:
    _ = f.write(b'odd')
"""


@pytest.fixture
def tree(http: httpx.Client, session: str) -> str:
    assert run(http, session, TREE)["status"] == "ok"
    return f"{session}/files/top"


def entries(http: httpx.Client, folder: str) -> dict[str, dict[str, Any]]:
    answer = http.get(folder)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["next"] is None
    return {entry["name"]: entry for entry in body["entries"]}


def test_a_folder_is_listed(http: httpx.Client, tree: str) -> None:
    listed = entries(http, f"{tree}/")
    assert list(listed) == ["sub", "a", "\ufffd é?"]
    file, folder = listed["a"], listed["sub"]
    assert (file["type"], file["size"], file["mode"]) == ("file", 600, 0o751)
    assert datetime.fromisoformat(file["modified"]).timestamp() == 1_000_000_000
    assert (folder["type"], folder["target"]) == ("directory", None)
    link = entries(http, f"{tree}/sub/")["link"]
    assert (link["type"], link["target"]) == ("link", "../a")


def test_names_that_are_no_text_can_be_asked_for_as_they_are_quoted(
    http: httpx.Client, tree: str
) -> None:
    quoted = entries(http, f"{tree}/")["\ufffd é?"]["quoted"]
    assert quoted == "%FF%20%C3%A9%3F"
    assert http.get(f"{tree}/{quoted}").content == b"odd"
    assert http.put(f"{tree}/{quoted}", content=b"new").status_code == 204
    assert http.get(f"{tree}/{quoted}").content == b"new"
    assert http.delete(f"{tree}/{quoted}").status_code == 204
    missing = http.get(f"{tree}/{quoted}")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "file_not_found")


def test_home_and_root_are_folders_too(http: httpx.Client, session: str) -> None:
    run(http, session, "open('mine', 'w').close()")
    for home in (f"{session}/files", f"{session}/files/", f"{session}/files/./"):
        assert "mine" in entries(http, home)
    root = entries(http, f"{session}/files//")
    assert {"tmp", "home", "dev"} <= set(root)
    assert "other" in {entry["type"] for entry in entries(http, f"{session}/files//dev/").values()}


def test_a_large_folder_is_listed_in_pages(http: httpx.Client, session: str) -> None:
    run(http, session, "import os; os.mkdir('many')")
    run(http, session, "for n in range(2500): open(f'many/{n}', 'w').close()")
    seen: list[str] = []
    after: int | None = 0
    while after is not None:
        page = http.get(f"{session}/files/many/", params={"after": after}).json()
        assert 0 < len(page["entries"]) <= 1000
        seen += [entry["name"] for entry in page["entries"]]
        after = page["next"]
    assert seen == [str(n) for n in range(2500)]


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "9" * 17, "9" * 16, "\u0661"])
def test_a_cursor_that_is_none_is_a_400(http: httpx.Client, session: str, after: str) -> None:
    answer = http.get(f"{session}/files", params={"after": after})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    ("path", "status"), [("/none/", 404), ("/top/a/", 422), ("/top", 422), ("/%00/", 422)]
)
def test_what_is_no_folder_is_told(http: httpx.Client, tree: str, path: str, status: int) -> None:
    answer = http.get(tree.removesuffix("/top") + path)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] in ("file_not_found", "file_error")


@pytest.mark.parametrize("path", ["a", "sub/link", "sub", "sub/", "sub/empty/"])
def test_files_links_and_folders_are_removed(http: httpx.Client, tree: str, path: str) -> None:
    assert http.delete(f"{tree}/{path}").status_code == 204
    folder, _, name = path.rstrip("/").rpartition("/")
    assert name not in entries(http, f"{tree}/{folder}/".replace("//", "/"))
    assert ("a" in entries(http, f"{tree}/")) is (path != "a")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/none", 404), ("/top/a/", 422), ("/", 422), ("//", 422), ("//home", 422)],
)
def test_what_cannot_be_removed_is_told(
    http: httpx.Client, tree: str, path: str, status: int
) -> None:
    answer = http.delete(tree.removesuffix("/top") + path)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] in ("file_not_found", "file_error")
    assert set(entries(http, f"{tree}/")) == {"sub", "a", "\ufffd é?"}


def test_what_was_removed_gives_its_room_back(http: httpx.Client, session: str) -> None:
    run(http, session, "import os")
    free = "os.statvfs('/').f_bfree, os.statvfs('/').f_ffree"
    before = run(http, session, free)["result"]
    run(http, session, "os.makedirs('a/b/c'); open('a/b/f', 'wb').write(bytes(100_000))")
    http.delete(f"{session}/files/a")
    assert run(http, session, free)["result"] == before


@pytest.mark.parametrize("how", ["accept", "query", "slash"])
def test_a_folder_comes_as_an_archive(http: httpx.Client, tree: str, how: str) -> None:
    path = {"accept": tree, "query": f"{tree}?tar", "slash": f"{tree}/?tar=1"}[how]
    headers = {"Accept": "application/x-tar"} if how == "accept" else {}
    answer = http.get(path, headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/x-tar")
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        members = {member.name: member for member in archive}
        assert set(members) == {
            *("sub", "sub/empty", "sub/b", "sub/c", "sub/link", "a"),
            os.fsdecode(b"\xff \xc3\xa9?"),
        }
        content = archive.extractfile("sub/c")
        assert content is not None
        assert content.read() == b"c" * 512
        assert members["sub/link"].linkname == "../a"
        assert members["sub/empty"].isdir()
        file = members["a"]
        assert (file.size, file.mode, file.mtime) == (600, 0o751, 1_000_000_000)


def test_the_head_of_an_archive_is_had_without_it(http: httpx.Client, tree: str) -> None:
    answer = http.head(f"{tree}?tar")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Type"] == "application/x-tar"


@pytest.mark.parametrize(("path", "status"), [("/none?tar", 404), ("/top/a?tar", 422)])
def test_no_archive_is_made_of_what_is_no_folder(
    http: httpx.Client, tree: str, path: str, status: int
) -> None:
    assert http.get(tree.removesuffix("/top") + path).status_code == status


def test_a_deep_folder_and_one_with_pages_are_archived_too(
    http: httpx.Client, session: str
) -> None:
    code = (
        "import os\nos.makedirs('top/' + '/'.join('d' * 300))\nos.mkdir('top/many')\n"
        "for n in range(1200): open(f'top/many/{n}', 'w').close()"
    )
    run(http, session, code)
    answer = http.get(f"{session}/files/top?tar")
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        names = archive.getnames()
    assert len(names) == len(set(names)) == 300 + 1 + 1200


def test_a_folder_deeper_than_any_path_is_cut_short(http: httpx.Client, session: str) -> None:
    code = "import os\nos.mkdir('top'); os.chdir('top')\nfor _ in range(50):\n"
    run(http, session, f"{code}    os.mkdir('d' * 200); os.chdir('d' * 200)")
    with pytest.raises(httpx.RemoteProtocolError):
        http.get(f"{session}/files//home/user/top?tar")
    assert run(http, session, "1 + 1")["result"] == "2"
