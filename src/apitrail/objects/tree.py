"""Files below a root, reached segment by segment, so that no link planted inside leads out of it.

Every folder is opened relative to the one above it and never through a symbolic link; files likewise.
All functions block; they are called in threads.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self, TypeVar

from apitrail.errors import SinkError

Result = TypeVar("Result")
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
CREATE_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC

# Errors that say: no file can be at this path, as the path is taken or cannot be written there.
TAKEN = {errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EILSEQ, errno.EEXIST, errno.ENOTEMPTY}

CODES = {
    errno.EACCES: ("AccessDenied", False),
    errno.EPERM: ("AccessDenied", False),
    errno.EROFS: ("AccessDenied", False),
    errno.ENOTDIR: ("NoSuchBucket", False),
    errno.ENOENT: ("NoSuchBucket", False),
    errno.ENOSPC: ("InsufficientStorage", True),
    errno.EDQUOT: ("InsufficientStorage", True),
}


def sink_error(error: OSError, where: Path) -> SinkError:
    """Return the error of the file system in the words of a bucket."""
    code, temporary = CODES.get(error.errno or 0, ("InternalError", True))
    return SinkError(f"{where}: {error.strerror or error}", code=code, temporary=temporary)


def _step(above: int, name: bytes, make: bool) -> int:
    try:
        return os.open(name, FOLDER_FLAGS, dir_fd=above)
    except FileNotFoundError:
        if not make:
            raise
    with suppress(FileExistsError):  # another writer made it at the same moment
        os.mkdir(name, dir_fd=above)
        os.fsync(above)
    return os.open(name, FOLDER_FLAGS, dir_fd=above)


@contextmanager
def folder(root: Path, names: Sequence[bytes], *, make: bool = False) -> Iterator[int]:
    """Open a folder below root and give its descriptor. make: missing folders are made, durably.

    Raises: FileNotFoundError, NotADirectoryError (also for a symbolic link on the way).
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            below = _step(descriptor, name, make)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def open_file(root: Path, path: Sequence[bytes]) -> int | None:
    """Open a regular file for reading and return its descriptor; None where there is none."""
    try:
        with folder(root, path[:-1]) as above:
            descriptor = os.open(path[-1], READ_FLAGS, dir_fd=above)
    except OSError as error:
        if error.errno in TAKEN or error.errno in (errno.ENOENT, errno.ENXIO):
            return None
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def stat_file(root: Path, path: Sequence[bytes]) -> os.stat_result | None:
    """Return the state of a regular file, None where there is none."""
    with Reach(root) as reach:
        return reach.stat(path)


def read_small(root: Path, path: Sequence[bytes], limit: int) -> bytes | None:
    """Return the content of a file of at most limit bytes, None where there is none or a longer one."""
    with Reach(root) as reach:
        return reach.read(path, limit)


class Reach:
    """Looks at many files, keeping the folder of the last one open; quick when neighbours are asked in a row."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: Sequence[bytes] = ()
        self._open = ExitStack()
        self._folder = -1

    def stat(self, path: Sequence[bytes]) -> os.stat_result | None:
        """Return the state of a regular file, None where there is none."""
        found = self._absent(lambda: os.stat(path[-1], dir_fd=self._above(path), follow_symlinks=False))
        return found if found and stat.S_ISREG(found.st_mode) else None

    def read(self, path: Sequence[bytes], limit: int) -> bytes | None:
        """Return the content of a file of at most limit bytes, None where there is none or a longer one."""
        descriptor = self._absent(lambda: os.open(path[-1], READ_FLAGS, dir_fd=self._above(path)))
        if descriptor is None:
            return None
        try:
            content = os.read(descriptor, limit + 1)
        finally:
            os.close(descriptor)
        return content if len(content) <= limit else None

    def _above(self, path: Sequence[bytes]) -> int:
        names = path[:-1]
        if self._folder < 0 or names != self._names:
            self._open.close()
            self._folder = -1
            self._folder = self._open.enter_context(folder(self._root, names))
            self._names = names
        return self._folder

    def _absent(self, look: Callable[[], Result]) -> Result | None:
        try:
            return look()
        except OSError as error:
            if error.errno in TAKEN or error.errno in (errno.ENOENT, errno.ENXIO):
                return None
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()


def place(root: Path, source: Path, path: Sequence[bytes]) -> bool:
    """Rename a file into its place below root, durably; False when the place is taken by something else.

    A folder on the way may be pruned by a delete at the same moment; then it is made again.
    """
    for attempt in range(16):
        try:
            with folder(root, path[:-1], make=True) as above:
                os.rename(source, path[-1], dst_dir_fd=above)
                os.fsync(above)
            return True
        except FileNotFoundError:
            if attempt == 15 or not os.path.lexists(source) or not root.is_dir():
                raise
        except OSError as error:
            if error.errno in TAKEN:
                return False
            raise
    raise AssertionError("unreachable")


def link(root: Path, source: Sequence[bytes], path: Sequence[bytes]) -> None:
    """Give a file below root a second name, durably; nothing happens when the name is taken."""
    with folder(root, source[:-1]) as there, folder(root, path[:-1], make=True) as above, suppress(FileExistsError):
        os.link(source[-1], path[-1], src_dir_fd=there, dst_dir_fd=above, follow_symlinks=False)
        os.fsync(above)


def remove(root: Path, path: Sequence[bytes], keep: int = 0) -> bool:
    """Remove a regular file durably, and the folders that are empty then, but never the first keep ones."""
    if stat_file(root, path) is None:
        return False
    try:
        with folder(root, path[:-1]) as above:
            os.unlink(path[-1], dir_fd=above)
            os.fsync(above)
    except FileNotFoundError:
        return False
    for depth in range(len(path) - 1, keep, -1):
        try:
            with folder(root, path[: depth - 1]) as above:
                os.rmdir(path[depth - 1], dir_fd=above)
        except OSError:
            break  # not empty, or gone already: nothing left to prune
    return True


@contextmanager
def locked(root: Path, path: Sequence[bytes], *, shared: bool = False) -> Iterator[None]:
    """Hold a lock among threads and processes; it ends with its holder, also when that dies."""
    with folder(root, path[:-1]) as above:
        descriptor = os.open(path[-1], LOCK_FLAGS, 0o644, dir_fd=above)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def locked_alone(root: Path, path: Sequence[bytes]) -> Iterator[bool]:
    """Try to hold a lock without waiting; gives whether nobody else holds it."""
    with folder(root, path[:-1]) as above:
        descriptor = os.open(path[-1], LOCK_FLAGS, 0o644, dir_fd=above)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        except BlockingIOError:
            alone = False
        yield alone
    finally:
        os.close(descriptor)
