"""Games with paths, links, names and sizes."""

from __future__ import annotations

from tests.hostile.program import endless, heavy, program

PROGRAMS = (
    program(
        "up and up and up",
        "ok",
        """
        import os
        assert os.listdir('/..' * 500) == os.listdir('/')
        assert not os.path.exists('/home/user' + '/..' * 40 + '/etc/passwd')
        """,
    ),
    program(
        "a link to the root",
        "ok",
        """
        import os
        os.symlink('/', 'root')
        assert os.listdir('root/..') == os.listdir('/')
        os.symlink('../' * 100 + 'etc/passwd', 'climb')
        assert not os.path.exists('climb')
        """,
    ),
    program(
        "a link to itself",
        "OSError",
        """
        import os
        os.symlink('me', 'me')
        open('me')
        """,
    ),
    program(
        "links that multiply",
        "OSError",
        """
        import os
        for number in range(100):
            os.symlink('/'.join([f'l{number + 1}'] * 10), f'l{number}')
        open('l0')
        """,
    ),
    program(
        "a folder into itself",
        "OSError",
        """
        import os
        os.makedirs('a/b/c')
        os.rename('a', 'a/b/c/a')
        """,
    ),
    program(
        "a folder that is deeper than any path",
        "ok",
        """
        import os
        for _ in range(600):
            os.mkdir('d' * 100)
            os.chdir('d' * 100)
        open('bottom', 'w').write('x')
        assert open('bottom').read() == 'x'
        try:
            os.getcwd()
        except OSError:
            pass
        """,
    ),
    program(
        "names that are none",
        "ok",
        r"""
        import os
        for name in ('', '\0', 'x\0y', 'n' * 256, 'p/' * 3000, b'\xff' * 300):
            try:
                open(name, 'w')
            except (OSError, ValueError):
                continue
            raise AssertionError(name)
        """,
    ),
    program(
        "names that are odd",
        "ok",
        r"""
        import os
        names = ['\udcff\udcfe', '\n', '\x1b[2J', ' ', '...', '%s%n', '$(id)', '\u202e', 'a\\b']
        for name in names:
            open(name, 'w').close()
        assert set(names) <= set(os.listdir('.'))
        print(os.listdir('.'))
        """,
    ),
    program(
        "a file of two to the sixty-second",
        "OSError",
        "open('x', 'wb').truncate(1 << 62)",
    ),
    program(
        "a write at the end of everything",
        "OSError | OverflowError",
        """
        f = open('x', 'wb')
        f.seek((1 << 63) - 1)
        f.write(b'x')
        f.flush()
        """,
    ),
    program(
        "offsets below zero",
        "ok",
        """
        import os
        fd = os.open('x', os.O_RDWR | os.O_CREAT)
        for call in (lambda: os.pread(fd, 1, -1), lambda: os.pwrite(fd, b'x', -1),
                     lambda: os.lseek(fd, -1, 0), lambda: os.ftruncate(fd, -1),
                     lambda: os.posix_fallocate(fd, -1, 1), lambda: os.read(fd, -1)):
            try:
                call()
            except (OSError, ValueError, AttributeError):
                continue
            raise AssertionError
        """,
    ),
    heavy(
        "a read of more than there is",
        "ok | MemoryError | OverflowError",
        """
        import os
        fd = os.open('x', os.O_RDWR | os.O_CREAT)
        os.read(fd, (1 << 31) - 1)
        """,
    ),
    endless(
        "files until there is no more room",
        "OSError | interrupted",
        "for n in range(10_000_000): open(str(n), 'x').close()",
        seconds=5,
    ),
    heavy(
        "a file until there is no more room",
        "OSError",
        "f = open('x', 'wb')\nwhile True: f.write(bytes(1 << 20))",
    ),
    heavy(
        "unlinked files until there is no more room",
        "OSError",
        """
        import os
        kept = []
        while True:
            kept.append(open('x', 'wb'))
            os.unlink('x')
            kept[-1].write(bytes(8 << 20))
        """,
    ),
    program(
        "open files until there are no more",
        "OSError",
        "kept = []\nwhile True: kept.append(open('/dev/null'))",
    ),
    program(
        "the library, written over",
        "ok",
        """
        import json, os
        path = json.__file__
        os.chmod(path, 0o777)
        open(path, 'w').write('raise SystemExit')
        assert open(path).read() == 'raise SystemExit'
        """,
    ),
    program(
        "everything removed",
        "ok",
        "import shutil\nshutil.rmtree('/', ignore_errors=True)",
    ),
    program(
        "the folder that it stands in removed",
        "ok",
        """
        import os
        os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')
        for call in (os.getcwd, lambda: open('x', 'w'), lambda: os.mkdir('y'), os.listdir):
            try:
                assert call() == []
            except OSError:
                pass
        """,
    ),
    program(
        "devices replaced",
        "ok",
        """
        import os
        for name in os.listdir('/dev'):
            os.rename(f'/dev/{name}', f'/tmp/{name}')
            open(f'/dev/{name}', 'w').write('mine')
        os.symlink('/tmp/owner', '/dev/owner2')
        """,
    ),
    program(
        "a device of its own",
        "PermissionError | OSError | AttributeError",
        "import os, stat\nos.mknod('mem', 0o666 | stat.S_IFCHR, os.makedev(1, 1))",
    ),
    program(
        "a pipe in the file system",
        "PermissionError | OSError | AttributeError",
        """
        import os
        os.mkfifo('pipe')
        open('pipe').read()
        """,
    ),
    program(
        "permissions taken from itself",
        "ok",
        """
        import os
        for path in ('/', '/home', '/home/user', '/lib', '/dev/owner'):
            os.chmod(path, 0)
            os.chown(path, 2**31, -1)
            os.utime(path, (-1e10, 1e10))
        """,
    ),
    program(
        "a listing that changes under the reader",
        "ok",
        """
        import os
        os.mkdir('d')
        for n in range(300): open(f'd/{n}', 'x').close()
        for number, entry in enumerate(os.scandir('d')):
            os.unlink(entry.path)
            if number < 1000:
                open(f'd/new{number}', 'x').close()
            if number > 3000:
                break
        """,
    ),
    program(
        "a mapping that is longer than its file",
        "ok",
        """
        import mmap
        open('x', 'wb').write(b'1234')
        f = open('x', 'r+b')
        for length in (1 << 31, -1, 1 << 40, 100):
            try:
                mmap.mmap(f.fileno(), length).close()
            except (ValueError, OSError, OverflowError, MemoryError):
                pass
        """,
    ),
    program(
        "a mapping of a file that shrinks",
        "ok",
        """
        import mmap
        f = open('x', 'w+b')
        f.write(bytes(1 << 20)); f.flush()
        m = mmap.mmap(f.fileno(), 1 << 20)
        f.truncate(1)
        m[-1] = 7
        m.flush(); m.close()
        """,
    ),
    program(
        "an archive that climbs",
        "ok",
        """
        import io, os, tarfile, zipfile
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode='w') as archive:
            for name in ('../../../../../etc/evil', '/etc/evil2'):
                archive.addfile(tarfile.TarInfo(name))
        data.seek(0)
        try:
            tarfile.open(fileobj=data).extractall('out')
        except tarfile.TarError:
            pass
        with zipfile.ZipFile('x.zip', 'w') as archive:
            archive.writestr('../../../../../etc/evil3', 'x')
        zipfile.ZipFile('x.zip').extractall('out')
        assert not os.path.exists('/etc/evil') and not os.path.exists('/etc/evil3')
        """,
    ),
    program(
        "descriptors copied by the kernel",
        "ok",
        """
        import os
        a = os.open('a', os.O_RDWR | os.O_CREAT); b = os.open('b', os.O_RDWR | os.O_CREAT)
        for name in ('sendfile', 'splice', 'copy_file_range', 'tee', 'posix_fadvise'):
            try:
                getattr(os, name)(a, b, 0, 1 << 40)
            except (AttributeError, OSError, OverflowError, TypeError):
                pass
        """,
    ),
    heavy(
        "a database that grows without end",
        "OperationalError | MemoryError | DataError",
        """
        import sqlite3
        db = sqlite3.connect('x.db')
        db.execute('create table t (x)')
        while True:
            db.execute('insert into t values (zeroblob(50000000))')
            db.commit()
        """,
    ),
    program(
        "extensions of a database",
        "ok",
        """
        import sqlite3
        db = sqlite3.connect(':memory:')
        for act in (lambda: db.enable_load_extension(True),
                    lambda: db.execute("select load_extension('/lib/x.so')").fetchall(),
                    lambda: db.execute("attach '/../../etc/passwd' as x")):
            try:
                act()
            except (AttributeError, sqlite3.Error):
                pass
        """,
    ),
)
