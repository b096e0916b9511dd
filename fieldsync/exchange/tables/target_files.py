"""Output files for other programs, unencrypted: each is written completely or not at all, and no plain byte is left elsewhere.

Where the system supports it (Linux), an incomplete file has no name, so that a killed process leaves nothing behind.
Elsewhere it is called NAME.new, beside the target; the next export of that name replaces it.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from fieldsync import errors
from fieldsync.store.private_files import create_private, flush_to_disk, replace_whole

_FILES = Path("/proc/self/fd")  # where a file without a name can be given one


@contextmanager
def open_target(out: Path) -> Iterator[IO[bytes]]:
    """Have a file to write to, for its owner only, which becomes `out` when all went well. BadFile, DiskFull."""
    with _replace_target(out) as draft:
        nameless = _open_nameless(out.parent)
        with create_private(draft) if nameless is None else os.fdopen(nameless, "w+b") as file:
            yield file
            flush_to_disk(file)
            if nameless is not None:
                _link_name(nameless, draft if out.exists() else out)


@contextmanager
def draft_path(out: Path) -> Iterator[Path]:
    """Have an empty file for a library that writes to files by their names only. BadFile, DiskFull."""
    with _replace_target(out) as draft:
        create_private(draft).close()
        yield draft


@contextmanager
def _replace_target(out: Path) -> Iterator[Path]:
    try:
        with replace_whole(out) as draft:
            yield draft
    except OSError as fault:
        raise errors.unwritten(fault, out.name) from fault


@contextmanager
def text_writer(file: IO[bytes], encoding: str = "utf-8") -> Iterator[IO[str]]:
    """Write text to a file that stays open."""
    wrapped = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
    try:
        yield wrapped
    finally:
        wrapped.detach()


def _open_nameless(folder: Path) -> int | None:
    flag = getattr(os, "O_TMPFILE", 0)
    if not flag or not _FILES.is_dir():
        return None
    try:
        return os.open(folder, flag | os.O_RDWR, 0o600)
    except OSError:  # a USB stick's file system, say; what is really wrong shows when it is opened by name
        return None


def _link_name(descriptor: int, path: Path) -> None:
    os.link(_FILES / str(descriptor), path, src_dir_fd=descriptor)  # with a folder given, links are followed
