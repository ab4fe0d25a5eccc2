"""Programs that do with files what a system can do with them, and print what they see."""

from __future__ import annotations

FILE_PROGRAMS = {
    "open_modes": """
        for mode in ("r", "r+", "x", "w", "a", "a+", "w+", "x"):
            try:
                with open("file", mode) as file:
                    print(mode, file.tell(), file.readable(), file.writable(), file.write("ab"))
            except (OSError, io.UnsupportedOperation) as error:
                print(mode, type(error).__name__)
        print(read("file"))
    """,
    "append": """
        write("log", "one\\n")
        first, second = (os.open("log", os.O_WRONLY | os.O_APPEND) for _ in range(2))
        os.lseek(first, 0, os.SEEK_SET)
        os.write(first, b"two\\n")
        os.write(second, b"three\\n")
        os.write(first, b"four\\n")
        print(read("log"), os.lseek(first, 0, os.SEEK_CUR))
        os.close(first)
        os.close(second)
    """,
    "sparse": """
        with open("file", "wb+") as file:
            print(file.seek(10), file.write(b"x"), file.seek(-1, 2), file.truncate(5), file.tell())
            file.truncate(8)
            file.seek(0)
            print(file.read())
        fd = os.open("file", os.O_RDWR)
        print(os.pwrite(fd, b"end", 12), os.pread(fd, 100, 6), os.lseek(fd, 0, 1))
        attempt(os.lseek, fd, -1, os.SEEK_SET)
        attempt(os.pread, fd, 1, -1)
        attempt(os.ftruncate, fd, -1)
        print(os.fstat(fd).st_size, os.write(fd, b""))
        os.close(fd)
        attempt(os.close, fd)
    """,
    "wrong_access": """
        write("file")
        fd = os.open("file", os.O_RDONLY)
        attempt(os.write, fd, b"x")
        attempt(os.write, fd, b"")
        os.close(fd)
        fd = os.open("file", os.O_WRONLY)
        attempt(os.read, fd, 1)
        os.close(fd)
        attempt(os.read, 99, 1)
        attempt(os.fstat, -1)
        attempt(os.dup, 99)
    """,
    "descriptors": """
        fd = os.open("file", os.O_RDWR | os.O_CREAT, 0o640)
        os.write(fd, b"0123456789")
        copy = os.dup(fd)
        os.lseek(copy, 2, os.SEEK_SET)
        print(copy > fd, os.read(fd, 2), os.dup2(fd, 60), os.read(60, 2), os.dup2(fd, fd) == fd)
        os.close(fd)
        again = os.open("file", os.O_RDONLY)
        print(again == fd, os.read(copy, 2), stat.filemode(os.fstat(again).st_mode))
        for number in (again, copy, 60):
            os.close(number)
    """,
    "deleted_but_open": """
        with open("file", "w+") as file:
            os.unlink("file")
            file.write("still here")
            file.seek(0)
            print(file.read(), os.path.exists("file"), os.fstat(file.fileno()).st_nlink)
    """,
    "errors_of_paths": """
        os.makedirs("dir/sub")
        write("file")
        write("dir/sub/x")
        os.symlink("loop", "loop")
        os.symlink("missing", "dangling")
        os.symlink("dir", "link")
        for path in (
            "",
            "missing",
            "missing/",
            "file/",
            "file/x",
            "file/..",
            "loop",
            "loop/x",
            "dangling",
            "x" * 255,
            "x" * 256,
            "é" * 128,
            "/".join("x" * 3000),
            "dir/",
            "link/",
            "dir/../file",
            "dir/sub/../../file",
            "./file",
            "//tmp",
            "missing/..",
        ):
            print(path[:20], end=" ")
            attempt(lambda: stat.S_IFMT(os.stat(path).st_mode))
        for function in (os.unlink, os.rmdir, os.mkdir, os.readlink, os.listdir):
            for path in (
                "",
                "missing",
                "file",
                "dir",
                "link",
                "loop",
                "dangling",
                ".",
                "..",
                "dir/.",
                "dir/..",
                "file/",
                "dir/",
                "link/",
                "missing/",
                "/",
                "file/x",
            ):
                if (function, path) in (
                    (os.unlink, "file"),
                    (os.unlink, "link"),
                    (os.unlink, "loop"),
                    (os.unlink, "dangling"),
                    (os.mkdir, "missing"),
                    (os.mkdir, "missing/"),
                    (os.listdir, ".."),
                    (os.listdir, "/"),
                    (os.listdir, "."),
                    (os.listdir, "dir/.."),
                ):
                    continue
                print(function.__name__, path, end=" ")
                attempt(function, path)
    """,
    "open_flags": """
        os.mkdir("dir")
        write("file")
        os.symlink("file", "link")
        os.symlink("new", "dangling")
        for path in ("file", "dir", "link", "dangling", "none", "none/", "dir/", "file/"):
            for name in ("O_RDONLY", "O_RDWR", "O_CREAT", "O_DIRECTORY", "O_NOFOLLOW"):
                for extra in (0, os.O_EXCL | os.O_CREAT):
                    print(path, name, extra != 0, end=" ")
                    # With this one Linux has changed its mind over the years.
                    if name != "O_DIRECTORY" or not extra:
                        attempt(lambda: os.close(os.open(path, getattr(os, name) | extra)))
                    for made in ("new", "none"):
                        if os.path.lexists(made):
                            print("made", made)
                            os.unlink(made)
    """,
    "rename": """
        def fresh():
            for name in os.listdir("."):
                shutil.rmtree(name) if os.path.isdir(name) and not os.path.islink(
                    name
                ) else os.unlink(name)
            os.makedirs("dir/sub")
            os.mkdir("empty")
            write("dir/sub/x")
            write("file")
            write("other")
            os.symlink("dir", "link")


        for old in (
            "file",
            "file/",
            "dir",
            "dir/",
            "empty",
            "link",
            "link/",
            "missing",
            "",
            "dir/sub",
        ):
            for new in (
                "other",
                "new",
                "new/",
                "dir",
                "empty",
                "empty/",
                "dir/sub/new",
                "link",
                "missing/x",
                "file/x",
                "",
                "file",
                "dir/..",
                "link/sub",
                ".",
            ):
                fresh()
                before = tree()
                print(repr(old), repr(new), end=" ")
                attempt(os.rename, old, new)
                print(*(sorted(set(before) ^ set(tree()))))
    """,
    "walking": """
        for path in ("a/b/c", "a/d", "e"):
            os.makedirs(path)
        for path in ("a/1", "a/b/2", "a/b/c/3", "4"):
            write(path)
        os.symlink("a", "link")
        print([(f, sorted(n), sorted(x)) for f, n, x in sorted(os.walk("."))])
        print([f for f, *_ in os.walk(".", topdown=False)][-1])
        print(
            sorted(map(str, pathlib.Path(".").rglob("*"))),
            sorted(map(str, pathlib.Path().glob("**/b/*"))),
        )
        with os.scandir("a") as entries:
            print(sorted((e.name, e.is_dir(), e.is_file(), e.is_symlink()) for e in entries))
        print(sorted(name for *_, names, _ in os.fwalk(".") for name in names))
        os.chdir("a/b")
        print(os.path.relpath(os.getcwd(), "../.."))
        os.chdir("../..")
        shutil.rmtree("a")
        print(tree())
        attempt(os.listdir, "link")
    """,
    "large_directory": """
        os.mkdir("many")
        for number in range(500):
            write(f"many/{number:03}-" + "n" * (number % 240), "")
        print(sorted(os.listdir("many")) == [f"{n:03}-" + "n" * (n % 240) for n in range(500)])
        removed = 0
        with os.scandir("many") as entries:
            for entry in entries:
                os.unlink(entry.path)
                removed += 1
        print(removed, os.listdir("many"), os.stat("many").st_nlink)
    """,
    "links": """
        os.mkdir("dir")
        write("dir/file")
        os.symlink("dir/file", "link")
        os.symlink("../dir", "dir/up")
        os.symlink("link", "second")
        print(
            os.readlink("link"),
            read("second"),
            os.path.realpath("second") == os.path.realpath("dir/file"),
        )
        print(
            os.path.islink("link"), os.path.isdir("dir/up"), os.path.realpath("dir/up/up/file")[-8:]
        )
        print(
            os.lstat("link").st_size,
            os.stat("link").st_size,
            os.lstat("link").st_mode == os.stat("link").st_mode,
        )
        print(pathlib.Path("second").resolve().name, pathlib.Path("link").readlink())
        write("second", "through")
        print(read("dir/file"))
        os.unlink("link")
        attempt(open, "second")
        for number in range(45):
            os.symlink(f"{number + 1}", f"{number}")
        write("45")
        attempt(os.path.getsize, "0")
        attempt(os.path.getsize, "5")
        attempt(os.path.getsize, "4")
    """,
    "permissions": """
        old = os.umask(0o027)
        write("file")
        os.mkdir("dir", 0o777)
        print(oct(os.stat("file").st_mode), oct(os.stat("dir").st_mode), oct(os.umask(old)))
        os.chmod("file", 0o4755)
        print(oct(os.stat("file").st_mode), os.access("file", os.X_OK))
        pathlib.Path("file").chmod(0o600)
        print(os.access("file", os.R_OK), os.access("missing", os.F_OK))
        shutil.copymode("dir", "file")
        print(oct(os.stat("file").st_mode))
    """,
    "times": """
        write("file")
        for moment in (0, 1, 1234567890, 2**31, 2**33, -1):
            os.utime("file", (moment, moment + 1))
            status = os.stat("file")
            print(status.st_atime, status.st_mtime)
        os.utime("file", ns=(123456000, 987654321987654000))
        print(os.stat("file").st_atime_ns, os.stat("file").st_mtime_ns)
        os.symlink("file", "link")
        os.utime("link", (5, 6))
        print(os.stat("file").st_mtime)
        before = time.time() - 1
        os.utime("file")
        print(os.stat("file").st_mtime > before)
        shutil.copy2("file", "copy")
        print(os.stat("copy").st_mtime_ns == os.stat("file").st_mtime_ns)
        with open("file", "a") as file:
            os.utime(file.fileno(), (7, 8))
        print(os.stat("file").st_mtime)
    """,
    "current_directory": """
        start = os.getcwd()
        os.makedirs("a/b")
        os.chdir("a/b")
        print(os.path.relpath(os.getcwd(), start))
        write("here")
        os.chdir("..")
        print(os.listdir("b"))
        fd = os.open("b", os.O_RDONLY)
        os.fchdir(fd)
        print(os.listdir(fd), os.stat("here", dir_fd=fd).st_size)
        os.chdir(start)
        attempt(os.mkdir, "new", dir_fd=fd)
        attempt(os.rename, "here", "moved", src_dir_fd=fd)
        attempt(os.unlink, "missing", dir_fd=fd)
        attempt(os.readlink, "new", dir_fd=fd)
        print(tree())
        os.mkdir("gone")
        os.chdir("gone")
        os.rmdir("../gone")
        attempt(os.getcwd)
        attempt(open, "x", "w")
        os.chdir(start)
        attempt(os.chdir, "moved")
        attempt(os.chdir, "missing")
        os.close(fd)
    """,
    "odd_names": """
        for name in (
            "sp ace",
            "new\\nline",
            "é😀",
            "-dash",
            "...",
            "~",
            "*",
            os.fsdecode(b"\\xff\\xfe"),
        ):
            write(name, ascii(name))
            print(ascii(read(name)))
        print(sorted(map(os.fsencode, os.listdir("."))), len(os.listdir(b".")))
        for name in os.listdir("."):
            os.rename(name, name + "x")
            os.unlink(name + "x")
        try:
            open("nul\\0l")
        except ValueError as error:
            print("ValueError")
    """,
}
