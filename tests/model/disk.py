"""A disk that fails: what was written and not synced is lost at a power loss, in part and in any order; full, read-only, slow.

All its chance comes from a `random.Random` that is passed in. It is under SQLite's files only (vfs.py); others are on the disk at once.
"""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from tests.model import vfs
from tests.model.vfs import FULL, IO_DELETE, IO_FSYNC, IO_TRUNCATE, IO_WRITE, OK, Read

SECTOR = 512  # bytes; on the disk as a whole or not at all
_access = os.access


class Written:
    """A file's bytes: what is on the disk, and what was written and not synced, in its order."""

    def __init__(self, disk: "FaultyDisk", size: int, *, entry: bool = True, syncs_folder: bool = False) -> None:
        self.disk = disk
        self.size = size  # in bytes, of what is on the disk
        self.now = size  # as programs see it
        self.entry = entry  # whether its name is on the disk
        self._syncs_folder = syncs_folder
        self._pending: list[tuple[int, bytes | None]] = []  # offset and bytes; or a new size and None
        self._old: dict[int, bytes] = {}  # what is on the disk of sectors that were changed since

    @property
    def is_behind(self) -> bool:
        """Whether something was written and not synced."""
        return bool(self._pending)

    def before_write(self, offset: int, data: bytes, read: Read) -> tuple[int, int]:
        """Note a write; see vfs.File."""
        if self.disk.off or self.disk.read_only:
            return 0, IO_WRITE
        room = self.disk.room_for(len(data), offset + len(data) - self.now)
        self._keep(offset, offset + room, read)
        self._pending.append((offset, data[:room]))
        self.now = max(self.now, offset + room)
        if self.disk.fails_now():
            return 0, IO_WRITE
        return room, OK if room == len(data) else FULL

    def before_truncate(self, size: int, read: Read) -> int:
        """Note a cut; see vfs.File."""
        if self.disk.off or self.disk.read_only:
            return IO_TRUNCATE
        self._keep(size, self.size, read)
        self._pending.append((size, None))
        self.now = size
        return IO_TRUNCATE if self.disk.fails_now() else OK

    def synced(self) -> int:
        """Have all of it on the disk; see vfs.File. SQLite syncs the folder, too, at the first sync of a new journal."""
        if self.disk.off or self.disk.read_only or self.disk.fails_now():
            return IO_FSYNC
        self.disk.slow()
        self._pending.clear()
        self._old.clear()
        self.size = self.now
        if self._syncs_folder:
            self._syncs_folder = False
            self.disk.sync_folder()
        return OK

    def _keep(self, begin: int, end: int, read: Read) -> None:
        """Keep what is on the disk of the sectors of a range."""
        for sector in range(begin // SECTOR, -(-min(end, self.size) // SECTOR)):
            if sector not in self._old:
                start = sector * SECTOR
                self._old[sector] = read(start, min(SECTOR, self.size - start))

    def image(self, content: bytes, chance: random.Random) -> bytes:
        """Return what a power loss leaves of a file that programs see with this content."""
        image = bytearray(content[: self.size].ljust(self.size, b"\0"))
        for sector, data in self._old.items():
            image[sector * SECTOR : sector * SECTOR + len(data)] = data
        sizes = [self.size]
        for offset, written in self._pending:
            sizes.append(offset if written is None else max(sizes[-1], offset + len(written)))
        more = max(sizes) - self.size
        work = image + bytes(more)
        image += chance.randbytes(more) if chance.random() < 0.25 else bytes(more)  # what was there before
        arrives, size = _outcome(sizes, chance)
        for number, (offset, written) in enumerate(self._pending):
            end = sizes[number] if written is None else offset + len(written)
            work[offset:end] = bytes(max(0, end - offset)) if written is None else written
            for sector in range(offset // SECTOR, -(-end // SECTOR)):
                if arrives(number):
                    part = slice(sector * SECTOR, (sector + 1) * SECTOR)
                    image[part] = work[part]
        return bytes(image[:size])


def _outcome(sizes: list[int], chance: random.Random) -> tuple[Callable[[int], bool], int]:
    """Return whether a sector of the write of a number reaches the disk, and the file's size."""
    writes = len(sizes) - 1
    match chance.choice(("none", "all", "first", "some", "some")):
        case "none":
            return lambda _number: False, sizes[0]
        case "all":
            return lambda _number: True, sizes[-1]
        case "first":  # one of them is torn
            torn = chance.randrange(writes + 1)
            size = sizes[min(writes, torn + chance.randrange(2))]
            return lambda number: number < torn or (number == torn and chance.random() < 0.5), size
    rate = chance.choice((0.1, 0.5, 0.9))
    return lambda _number: chance.random() < rate, chance.choice(sizes)


class FaultyDisk:
    """The disk with a node's folder. What SQLite keeps there is asked about in `vfs.py`, from the next opening on.

    `room` is how many bytes files may still grow by, `read_only` refuses all writes, `slow` is called at each sync.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = os.path.realpath(folder)  # as SQLite names it
        self.off = False  # after a power loss
        self.room: int | None = None
        self.read_only = False
        self.slow: Callable[[], None] = lambda: None
        self.changes = 0  # writes, cuts and syncs so far
        self._fails_at: int | None = None
        self._files: dict[str, Written] = {}
        self._deleted: dict[str, tuple[bytes, Written]] = {}  # whose entry is still on the disk
        vfs.mount(self)

    @property
    def is_behind(self) -> bool:
        """Whether something was written and not synced."""
        return any(written.is_behind for written in self._files.values())

    def close(self) -> None:
        """Take the disk away; what is still open fails from now on. Raises what went wrong in it."""
        self.off = True
        vfs.unmount(self)

    # --- faults ---

    def fail_after(self, changes: int) -> None:
        """Have the power fail at a later change: it, and all after it, raise an I/O error."""
        self._fails_at = self.changes + changes

    def fails_now(self) -> bool:
        """Count a change; return whether the power fails with it."""
        self.changes += 1
        self.off = self.off or self.changes == self._fails_at
        return self.off

    def room_for(self, size: int, grows: int) -> int:
        """Return how many bytes of a write find room."""
        if self.room is None or grows <= 0:
            return size
        taken = min(grows, self.room)
        self.room -= taken
        return size - grows + taken if grows <= size else min(size, taken)

    @contextmanager
    def only_read(self) -> Iterator[None]:
        """Refuse all writes, as an operating system does that found errors on a disk."""

        def access(path: str, mode: int, **more: bool) -> bool:
            return _access(path, mode, **more) and not (mode & os.W_OK and str(path).startswith(self.folder))

        self.read_only = True
        try:
            with mock.patch.object(os, "access", access):
                yield
        finally:
            self.read_only = False

    def power_loss(self, into: Path, chance: random.Random) -> None:
        """Turn the power off, and copy the folder as the disk has it then; close the store only after that."""
        self.off = True
        here = Path(self.folder)
        into.mkdir()
        names = {file.name for file in here.iterdir() if file.is_file() and not file.name.endswith("-shm")}
        for name in sorted(names | {os.path.basename(path) for path in self._deleted}):
            content = self._content(here / name, chance)
            if content is not None:
                (into / name).write_bytes(content)

    def _content(self, path: Path, chance: random.Random) -> bytes | None:
        """Return what a power loss leaves of a file; None where that is nothing."""
        gone, written = self._deleted.get(str(path)), self._files.get(str(path))
        if gone is not None and chance.random() < 0.5:
            return gone[1].image(gone[0], chance)
        if not path.exists() or (written is not None and not written.entry and chance.random() < 0.5):
            return None
        content = path.read_bytes()
        return content if written is None else written.image(content, chance)

    # --- what vfs.py asks ---

    def opened(self, path: str, size: int | None, *, main: bool, journal: bool) -> Written | None:
        """Return a file that is opened; see vfs.Disk."""
        if self.off:
            return None
        if size is None or path not in self._files:
            entry = size is not None and not (main and size == 0)  # it may just have been made by another call
            self._files[path] = Written(self, size or 0, entry=entry, syncs_folder=journal and size is None)
        return self._files[path]

    def before_delete(self, path: str, *, sync: bool) -> int:
        """Note that a file goes; see vfs.Disk."""
        if self.off or self.read_only or self.fails_now():
            return IO_DELETE
        content = Path(path).read_bytes()
        written = self._files.pop(path, None) or Written(self, len(content))
        if written.entry:
            self._deleted[path] = content, written
        if sync:
            self.sync_folder()
        return OK

    def sync_folder(self) -> None:
        """Have the folder's entries on the disk."""
        self._deleted.clear()
        for written in self._files.values():
            written.entry = True
