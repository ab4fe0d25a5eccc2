"""Programs that use a process's pipes, locks, signals and devices, and print what they see."""

from __future__ import annotations

SYSTEM_PROGRAMS = {
    "pipes": """
        import fcntl, select
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        print(os.get_blocking(reader), os.get_blocking(writer))
        attempt(os.read, reader, 1)
        print(os.write(writer, b"one two three"), os.read(reader, 4))
        print(select.select([reader], [writer], [], 0) == ([reader], [writer], []))
        print(stat.S_ISFIFO(os.fstat(reader).st_mode))
        attempt(os.lseek, reader, 0, 0)
        attempt(os.write, reader, b"x")
        attempt(os.read, writer, 1)
        copy = os.dup(writer)
        os.close(writer)
        with open(copy, "wb") as file:
            file.write(b" four\\nfive")
        print(open(reader).readlines())
        reader, writer = os.pipe()
        os.close(reader)
        attempt(os.write, writer, b"x")
        os.set_blocking(writer, False)
        print(fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK == os.O_NONBLOCK)
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        print(os.write(writer, bytes(100_000)))
        attempt(os.write, writer, b"x")
    """,
    "flags_of_descriptors": """
        import fcntl
        fd = os.open("file", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        flags = lambda number: fcntl.fcntl(number, fcntl.F_GETFD)
        print(flags(fd), fcntl.fcntl(fd, fcntl.F_SETFD, 0), flags(fd))
        copy = fcntl.fcntl(fd, fcntl.F_DUPFD, 50)
        closed = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 60)
        print(copy, flags(copy), closed, flags(closed))
        os.close(closed)
        print(os.dup2(fd, closed), flags(closed), os.dup2(fd, 70, inheritable=False), flags(70))
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(copy, fcntl.LOCK_EX | fcntl.LOCK_NB, 10)
        print(os.lockf(fd, os.F_TEST, 10))
        fcntl.flock(fd, fcntl.LOCK_UN)
        attempt(os.get_terminal_size, fd)
        attempt(fcntl.ioctl, fd, 0x5413, bytes(8))
        print(os.isatty(fd), os.path.exists(os.ctermid()) or True)
    """,
    "devices": """
        print(open("/dev/zero", "rb").read(5), len(open("/dev/random", "rb").read(5)))
        print(open("/dev/null", "rb").read(), open("/dev/stdin").fileno() > 2)
        def fill():
            with open("/dev/full", "wb", buffering=0) as file:
                file.write(b"x")
        attempt(fill)
        print(stat.S_ISCHR(os.stat("/dev/full").st_mode))
    """,
    "signals_to_oneself": """
        import _thread, signal
        seen = []
        def interrupted(send, *arguments):
            try:
                send(*arguments)
            except KeyboardInterrupt:
                return True
            return False
        print(interrupted(signal.raise_signal, signal.SIGINT))
        print(interrupted(os.kill, os.getpid(), signal.SIGINT))
        print(interrupted(_thread.interrupt_main))
        old = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
        signal.raise_signal(signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        signal.signal(signal.SIGUSR1, lambda number, frame: seen.append("user"))
        signal.raise_signal(signal.SIGUSR1)
        signal.signal(signal.SIGINT, old)
        print(seen, interrupted(os.kill, os.getpid(), 0))
    """,
    "write_ahead_log": """
        import sqlite3
        def connect():
            return sqlite3.connect("log.db", timeout=0, isolation_level=None)
        one, two = connect(), connect()
        count = lambda connection: connection.execute("select count(*) from t").fetchone()[0]
        print(one.execute("pragma journal_mode=wal").fetchone())
        one.execute("create table t(x)")
        two.execute("begin")
        print(count(two))
        one.executemany("insert into t values (?)", [(n,) for n in range(500)])
        print(count(one), count(two))
        two.execute("commit")
        print(count(two), os.path.exists("log.db-wal"))
        one.execute("begin immediate")
        try:
            two.execute("begin immediate")
        except sqlite3.OperationalError as error:
            print(error)
        one.execute("rollback")
        print(two.execute("pragma wal_checkpoint(truncate)").fetchone())
        one.execute("insert into t values (7)")
        for suffix in ("", "-wal"):
            shutil.copy("log.db" + suffix, "crashed.db" + suffix)
        recovered = sqlite3.connect("crashed.db")
        print(count(recovered), recovered.execute("pragma integrity_check").fetchone())
        one.close(), two.close()
        print(os.path.exists("log.db-wal"), count(connect()))
    """,
    "locale_and_zones": """
        import datetime, locale, sys, zoneinfo
        print(locale.setlocale(locale.LC_CTYPE, "C.UTF-8"), locale.getpreferredencoding().lower())
        print(sys.getfilesystemencoding(), locale.localeconv()["decimal_point"])
        berlin = zoneinfo.ZoneInfo("Europe/Berlin")
        for month in (1, 7):
            print(datetime.datetime(2024, month, 1, tzinfo=berlin).isoformat())
        print("Asia/Tokyo" in zoneinfo.available_timezones())
    """,
}
