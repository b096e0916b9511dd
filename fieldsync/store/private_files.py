"""New files that only their owner may read, from the first byte on, and that appear under their name when they are whole."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_BINARY = getattr(os, "O_BINARY", 0)  # without it Windows turns each line feed into two bytes


def create_private(path: Path, *, exclusive: bool = True) -> IO[bytes]:
    """Create a file and open it for reading and writing bytes.

    With `exclusive` it is FileExistsError where there is one; otherwise that one is emptied.
    """
    flags = os.O_RDWR | os.O_CREAT | (os.O_EXCL if exclusive else os.O_TRUNC) | _BINARY
    return os.fdopen(os.open(path, flags, 0o600), "w+b")


@contextmanager
def replace_whole(path: Path) -> Iterator[Path]:
    """Yield the path of a draft, NAME.new, that takes the file's place, or is removed on any error."""
    draft = path.with_name(path.name + ".new")
    try:
        draft.unlink(missing_ok=True)  # of a killed process
        yield draft
        if draft.exists():
            draft.replace(path)
            _flush_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


@contextmanager
def write_whole(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file to write to; it replaces `path`, and is on the disk, if all went well. OSError."""
    with replace_whole(path) as draft, create_private(draft) as file:
        yield file
        flush_to_disk(file)


def flush_to_disk(file: IO[bytes]) -> None:
    """Have on the disk what was written to a file. OSError."""
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Have a folder's names on the disk: after a power loss its files would otherwise be those of before. OSError."""
    if os.name == "nt":
        return  # folders cannot be opened there
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as fault:
        if fault.errno != errno.EINVAL:  # a file system that cannot
            raise
    finally:
        os.close(handle)
