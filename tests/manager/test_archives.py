"""Archives unpacked into folders of a session: what comes of good ones and of bad ones."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import tarfile
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from rlm_kernel.errors import BadRequest, FileError
from rlm_kernel.manager import ManagerClient
from rlm_kernel.manager.archive_reader import ArchiveReader
from tests.manager.process import ManagerProcess
from tests.manager.test_client import run as run_client
from tests.manager.test_execute import wait_for
from tests.manager.test_folders import TREE
from tests.manager.test_sessions import run

TAR = {"Content-Type": "application/x-tar"}
LONG = "/".join(["long" * 20] * 10)


def member(
    name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"", link: str = ""
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, len(data), link
    return info


def archive(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, errors="surrogateescape") as packed:
        for info, data in members:
            packed.addfile(info, io.BytesIO(data))
    return out.getvalue()


def files(**contents: bytes) -> bytes:
    return archive(*((member(name, data=data), data) for name, data in contents.items()))


def test_an_archive_of_a_folder_makes_the_same_folder(http: httpx.Client, session: str) -> None:
    run(http, session, TREE)
    run(http, session, f"os.makedirs('top/{LONG}'); open('top/{LONG}/f', 'w').write('deep')")
    packed = http.get(f"{session}/files/top?tar").content
    other = f"/session/{http.post('/session').json()['session_id']}"
    assert http.put(f"{other}/files/new/", content=packed, headers=TAR).status_code == 204
    again = http.get(f"{other}/files/new?tar").content

    def content(data: bytes) -> dict[str, tuple[bytes, bytes, str]]:
        with tarfile.open(fileobj=io.BytesIO(data)) as opened:
            return {
                each.name: (
                    each.type,
                    opened.extractfile(each).read() if each.isfile() else b"",  # type: ignore[union-attr]
                    each.linkname,
                )
                for each in opened
            }

    assert content(again) == content(packed)
    assert len(content(again)) == 7 + 10 + 1


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_archives_of_every_form_are_unpacked(http: httpx.Client, session: str, form: int) -> None:
    long = LONG if form != tarfile.USTAR_FORMAT else "a" * 90
    packed = archive(
        (member("./", tarfile.DIRTYPE), b""),
        (member("./dir", tarfile.DIRTYPE), b""),
        (member("./dir//a", data=b"x" * 1000), b"x" * 1000),
        (member(f"{long}/f", data=b"deep"), b"deep"),
        (member("link", tarfile.SYMTYPE, link=f"{long}/f"), b""),
        (member("none"), b""),
        form=form,
    )
    assert http.put(f"{session}/files/?tar", content=packed).status_code == 204
    assert http.get(f"{session}/files/dir/a").content == b"x" * 1000
    assert http.get(f"{session}/files/link").content == b"deep"
    assert http.get(f"{session}/files/none").content == b""


def test_what_is_there_stays_and_what_has_the_name_is_replaced(
    http: httpx.Client, session: str
) -> None:
    for name in ("kept", "old"):
        http.put(f"{session}/files/d/{name}", content=b"before")
    packed = archive(
        (member("old", data=b"new"), b"new"), (member("kept2", tarfile.SYMTYPE, link="kept"), b"")
    )
    for _ in range(2):
        assert http.put(f"{session}/files/d/?tar", content=packed).status_code == 204
    assert http.get(f"{session}/files/d/old").content == b"new"
    assert http.get(f"{session}/files/d/kept2").content == b"before"


def test_tar_and_curl_send_a_folder(http: httpx.Client, session: str, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").write_bytes(os.urandom(200_000))
    url = f"{http.base_url}{session}/files/there/?tar"
    line = f"tar -C {tmp_path} -cf - . | curl -sf -T - '{url}'"
    subprocess.run(line, shell=True, check=True)
    got = http.get(f"{session}/files/there/sub/file").content
    assert got == (tmp_path / "sub" / "file").read_bytes()


def test_an_archive_without_members_makes_an_empty_folder(http: httpx.Client, session: str) -> None:
    assert http.put(f"{session}/files/empty/?tar", content=archive()).status_code == 204
    assert http.get(f"{session}/files/empty/").json()["entries"] == []


SPARSE = member("sparse")
SPARSE.pax_headers = {"GNU.sparse.major": "1"}
WRONG_SIZE = member("size")
WRONG_SIZE.pax_headers = {"size": "-5"}

BAD = {
    "no archive": b"x" * 1024,
    "nothing": b"",
    "half a header": archive()[:100],
    "half a file": files(a=b"x" * 2000)[:1000],
    "no end": files(a=b"x" * 512)[:1024],
    "a path upwards": archive((member("../out"), b"")),
    "a path upwards within": archive((member("a/../../out"), b"")),
    "an absolute path": archive((member("/out"), b"")),
    "a hard link": archive((member("hard", tarfile.LNKTYPE, link="a"), b"")),
    "a device": archive((member("null", tarfile.CHRTYPE), b"")),
    "a fifo": archive((member("fifo", tarfile.FIFOTYPE), b"")),
    "a sparse file": archive((SPARSE, b"")),
    "a size that is none": archive((WRONG_SIZE, b"")),
    "a path without end": archive((member("x" * 5000), b"")),
    "a name without end": archive((member("y" * 70_000), b"")),
    "through a link": archive(
        (member("link", tarfile.SYMTYPE, link="/tmp"), b""), (member("./link//out"), b"")
    ),
    "no name": archive((member("."), b"")),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_archive_is_a_400_and_nothing_leaves_the_folder(
    http: httpx.Client, session: str, kind: str
) -> None:
    answer = http.put(f"{session}/files/d/?tar", content=BAD[kind])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request"), answer.text
    listed = run(http, session, "import os; os.listdir('/tmp'), 'out' in os.listdir()")
    assert listed["result"] == "([], False)"


def test_an_archive_must_be_said_to_be_one(http: httpx.Client, session: str) -> None:
    for path in ("d/", "d?tar"):
        answer = http.put(f"{session}/files/{path}", content=files(a=b"1"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


def test_what_does_not_fit_is_told(http: httpx.Client, session: str) -> None:
    run(http, session, "import os; os.mkdir('folder')")
    for packed in (files(folder=b"1"), archive((member("folder", tarfile.SYMTYPE, link="x"), b""))):
        answer = http.put(f"{session}/files/?tar", content=packed)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "file_error")


def test_a_file_of_an_archive_that_breaks_off_never_comes_to_be(
    http: httpx.Client, session: str
) -> None:
    def room() -> str:
        return str(run(http, session, "import os; os.statvfs('/').f_bfree")["result"])

    before, packed = room(), files(a=bytes(20_000_000))
    address = urlsplit(str(http.base_url))
    with socket.create_connection((address.hostname, address.port)) as sender:
        head = f"PUT {session}/files/?tar HTTP/1.1\r\nHost: localhost\r\n"
        sender.sendall(f"{head}Content-Length: {len(packed)}\r\n\r\n".encode())
        sender.sendall(packed[:15_000_000])
        wait_for(lambda: room() != before)
    wait_for(lambda: room() == before)
    assert http.get(f"{session}/files/a").status_code == 404


def test_the_client_sends_an_archive(manager: ManagerProcess) -> None:
    async def scenario(client: ManagerClient) -> None:
        session_id = (await client.create_session()).session_id
        await client.write_folder(session_id, "d", files(a=b"1"))
        assert await client.get_file(session_id, "d/a") == b"1"
        with pytest.raises(BadRequest, match="out of the folder"):
            await client.write_folder(session_id, "d/", BAD["a path upwards"])

    run_client(manager, scenario)


class Recorder:
    """Files of a session that only remember what was made; they hold no more than `limit`."""

    def __init__(self, limit: int = 100) -> None:
        self.made: dict[str, bytes] = {}
        self._limit = limit

    def upload(self, path: str) -> RecordedFile:
        return RecordedFile(self.made, path, self._limit)

    async def make_folder(self, path: str) -> None:
        self.made[path] = b"folder"

    async def make_link(self, path: str, target: str) -> None:
        self.made[path] = target.encode()


class RecordedFile:
    def __init__(self, made: dict[str, bytes], path: str, limit: int) -> None:
        self._made, self._path, self._limit, self._data = made, path, limit, b""

    async def write(self, data: bytes) -> None:
        self._data += data

    async def finish(self) -> None:
        if len(self._made) >= self._limit:
            raise FileError("no room is left in the session")
        self._made[self._path] = self._data

    async def abandon(self) -> None:
        self._data = b""


@pytest.mark.parametrize("size", [1, 7, 511, 512, 513, 10_000])
async def test_an_archive_may_come_in_pieces_of_any_size(size: int) -> None:
    packed = archive(
        (member(LONG, data=b"a" * 700), b"a" * 700),
        (member("link", tarfile.SYMTYPE, link=LONG), b""),
        (member("dir", tarfile.DIRTYPE), b""),
        form=tarfile.GNU_FORMAT,
    )
    recorder = Recorder()
    reader = ArchiveReader(recorder, "in/")  # type: ignore[arg-type]
    for start in range(0, len(packed), size):
        await reader.feed(packed[start : start + size])
    await reader.finish()
    assert recorder.made == {
        f"in/{LONG}": b"a" * 700,
        "in/link": LONG.encode(),
        "in/dir": b"folder",
        "in/": b"folder",
    }


async def test_an_archive_of_very_many_files_ends_where_the_room_does() -> None:
    recorder = Recorder(limit=10)
    reader = ArchiveReader(recorder, "")  # type: ignore[arg-type]
    with pytest.raises(FileError, match="no room"):
        await reader.feed(files(**{f"f{n}": b"" for n in range(1000)}))
    assert len(recorder.made) == 10
