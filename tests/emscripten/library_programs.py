"""Programs that use what Python's library builds on a system, and print what they see."""

from __future__ import annotations

LIBRARY_PROGRAMS = {
    "copying": """
        os.makedirs("a/b")
        write("a/b/file", "x" * 300_000)
        os.symlink("b/file", "a/link")
        shutil.copytree("a", "copy", symlinks=True)
        print(tree(), read("copy/link") == read("a/b/file"))
        shutil.move("copy", "a/moved")
        print(sorted(os.listdir("a/moved")))
        attempt(shutil.move, "a/b/file", "here")
        print(os.path.getsize("here"))
        print(shutil.disk_usage(".").total > 0)
        shutil.make_archive("packed", "gztar", "a")
        shutil.unpack_archive("packed.tar.gz", "unpacked")
        print(sorted(os.listdir("unpacked/moved")))
    """,
    "temporary_files": """
        os.environ["TMPDIR"] = tempfile.tempdir = os.getcwd()
        with tempfile.TemporaryFile() as file:
            file.write(b"x" * 100)
            print(file.tell())
        with tempfile.NamedTemporaryFile("w+", suffix=".txt") as file:
            name = file.name
            file.write("named")
            file.flush()
            print(read(name), oct(os.stat(name).st_mode))
        with tempfile.TemporaryDirectory() as folder:
            write(f"{folder}/x")
            print(os.path.isdir(folder))
        with tempfile.SpooledTemporaryFile(max_size=10) as file:
            file.write(b"y" * 20)
            file.seek(0)
            print(file.read())
        print(
            os.path.exists(name),
            os.path.exists(folder),
            len({tempfile.mktemp() for _ in range(50)}),
            tree(),
        )
    """,
    "mapped_files": """
        import mmap

        with open("file", "wb") as file:
            file.write(b"0123456789" * 1000)
        with open("file", "r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
            print(len(mapped), mapped[5:12], mapped.find(b"890"), mapped.rfind(b"9"))
            mapped[0:3] = b"abc"
            mapped.flush()
            print(read("file")[:5])
            mapped[9990:] = b"!" * 10
        print(read("file")[-12:])
        with open("file", "rb") as file:
            with mmap.mmap(file.fileno(), 4, access=mmap.ACCESS_COPY) as mapped:
                mapped[0:1] = b"Z"
                print(mapped[:], read("file")[:3])
            with mmap.mmap(file.fileno(), 4, access=mmap.ACCESS_READ) as mapped:
                print(mapped.read(2), mapped.tell())
            attempt(mmap.mmap, file.fileno(), 4, access=mmap.ACCESS_WRITE)
        with mmap.mmap(-1, 100) as mapped:
            mapped.write(b"anonymous")
            print(mapped[:12])
    """,
    "archives": """
        import zipfile, tarfile, gzip, lzma, bz2

        with zipfile.ZipFile("a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("one", "1" * 10_000)
            write("two", "2")
            archive.write("two", "dir/two")
        with zipfile.ZipFile("a.zip", "a") as archive:
            archive.writestr("three", "3")
        with zipfile.ZipFile("a.zip") as archive:
            print(archive.namelist(), archive.testzip(), len(archive.read("one")))
            archive.extractall("out")
        print(tree(), read("out/dir/two"), zipfile.is_zipfile("two"))
        sys.path.insert(0, os.path.abspath("m.zip"))
        with zipfile.ZipFile("m.zip", "w") as archive:
            archive.writestr("packed_module.py", "value = 7")
        import packed_module

        print(packed_module.value)
        sys.path.pop(0)
        for module in (gzip, lzma, bz2):
            with module.open("z", "wt") as file:
                file.write("packed" * 100)
            with module.open("z", "rt") as file:
                print(len(file.read()))
    """,
    "sqlite": """
        import sqlite3


        def rows(path, query="select count(*), sum(v) from t"):
            with sqlite3.connect(path) as connection:
                found = connection.execute(query).fetchall()
            connection.close()
            return found


        for journal in ("delete", "truncate", "persist", "memory"):
            connection = sqlite3.connect("db")
            connection.execute(f"pragma journal_mode={journal}")
            connection.execute("create table if not exists t (k integer primary key, v integer)")
            with connection:
                connection.executemany("insert into t (v) values (?)", ((n,) for n in range(2000)))
            try:
                with connection:
                    connection.execute("delete from t")
                    raise KeyError
            except KeyError:
                pass
            connection.execute("vacuum")
            connection.close()
            print(rows("db"))
        two = sqlite3.connect("db"), sqlite3.connect("db")
        two[0].execute("insert into t (v) values (1000000)")
        two[0].commit()
        print(
            two[1].execute("select max(v) from t").fetchall(), rows("db", "pragma integrity_check")
        )
        for connection in two:
            connection.close()
        print(os.path.exists("db-journal") in (True, False), rows(":memory:", "select 1"))
    """,
    "structured_data": """
        import csv, json, linecache, pickle

        with open("t.csv", "w", newline="") as file:
            csv.writer(file).writerows([[1, "a,b"], [2, 'c"d\\n']])
        with open("t.csv", newline="") as file:
            print(list(csv.reader(file)))
        pathlib.Path("p").write_bytes(pickle.dumps({"deep": [1, 2, {3}]}))
        print(pickle.loads(pathlib.Path("p").read_bytes()))
        pathlib.Path("x.json").write_text(json.dumps({"é": [1, None]}))
        print(json.loads(pathlib.Path("x.json").read_text()))
        print(linecache.getline("t.csv", 1))
    """,
    "waiting": """
        import select

        write("file")
        with open("file") as file:
            poller = select.poll()
            poller.register(file, select.POLLIN | select.POLLOUT)
            print([event for _, event in poller.poll(1000)])
            poller.unregister(file)
            print(poller.poll(5))
            print([len(part) for part in select.select([file], [file], [], 1)])
        before = time.monotonic()
        print(select.select([], [], [], 0.02))
        print(time.monotonic() - before >= 0.015)
        before = time.monotonic()
        time.sleep(0.02)
        print(time.monotonic() - before >= 0.015)
        # Output that waits to be shown interrupts a wait, which then goes on.
        for number in range(6):
            before = time.monotonic()
            print(number, select.select([], [], [], 0.02), time.monotonic() - before >= 0.015)
            print(select.poll().poll(20), time.monotonic() - before >= 0.03)
    """,
    "calendar": """
        moments = [
            0,
            -1,
            951782399,
            951868800,
            4107542400,
            2**31,
            -(2**31),
            253402300799,
            -62135596800,
            253402300800,
            -62135596801,
            10**14,
            -(10**14),
        ]
        for moment in moments:
            print(
                tuple(time.gmtime(moment)),
                time.strftime("%a %d %b %H:%M:%S %j", time.gmtime(moment)),
            )
        os.environ["TZ"] = "UTC"
        for fields in (
            (1970, 1, 1, 0, 0, 0),
            (2000, 2, 30, 25, 61, 61),
            (1999, 14, -5, 0, 0, 0),
            (1, 1, 1, 0, 0, 0),
            (9999, 12, 31, 23, 59, 59),
            (1969, 12, 31, 23, 59, 59),
            (12000, 1, 1, 0, 0, 0),
            (-5, 1, 1, 0, 0, 0),
        ):
            print(fields, time.mktime((*fields, 0, 0, 0)))
        from datetime import datetime, timezone

        print(
            datetime.fromtimestamp(1e9),
            datetime(2024, 2, 29).timestamp(),
            datetime.fromtimestamp(-1e9, timezone.utc),
        )
        print(datetime(1, 1, 2).timestamp(), datetime(9999, 12, 30).timestamp())
        for moment in (1e14, -1e14):
            try:
                print(datetime.fromtimestamp(moment))
            except (ValueError, OverflowError) as error:
                print(type(error).__name__)
        print(time.tzname[0], time.timezone, time.daylight)
    """,
    "clocks": """
        for clock in (time.time, time.monotonic, time.perf_counter, time.process_time):
            first, second = clock(), clock()
            print(
                clock.__name__,
                second >= first >= 0,
                time.get_clock_info(clock.__name__).resolution <= 1e-3,
            )
        print(time.time() > 1.6e9, abs(time.time() - time.time_ns() / 1e9) < 5)
    """,
    "randomness": """
        import secrets, uuid, random

        print(len(os.urandom(0)), len(os.urandom(70_000)), os.urandom(16) != os.urandom(16))
        print(
            len({uuid.uuid4() for _ in range(100)}),
            len(secrets.token_bytes(32)),
            len({random.SystemRandom().random() for _ in range(100)}),
        )
        with open("/dev/urandom", "rb") as file:
            print(len(file.read(3_000_000)))
        with open("/dev/null", "r+b", buffering=0) as file:
            print(file.write(b"x" * 3_000_000) > 0, file.read(10))
    """,
    "room": """
        space = os.statvfs(".")
        print(space.f_bsize > 0, 0 < space.f_bavail <= space.f_blocks, space.f_namemax)
        print(os.fpathconf(0, "PC_NAME_MAX") > 0 if hasattr(os, "fpathconf") else True)
    """,
    "unbuffered_and_text": """
        with open("file", "w+", encoding="utf-16", newline="\\r\\n") as file:
            file.write("a\\né\\n")
            file.seek(0)
            print(file.readlines())
        print(pathlib.Path("file").read_bytes())
        with open("file", "r+b", buffering=0) as file:
            print(file.readinto(bytearray(3)), file.readall()[:4], file.write(b""))
        with open("file", "rb") as file:
            print(os.readv(file.fileno(), [bytearray(3), bytearray(0), bytearray(100)]))
        fd = os.open("file", os.O_RDWR | os.O_TRUNC)
        print(os.writev(fd, [b"ab", b"", b"cd"]), pathlib.Path("file").read_bytes(), os.isatty(fd))
        os.close(fd)
    """,
}
