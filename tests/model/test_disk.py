"""The disk that fails: it finds a store that is opened carelessly, and the program's own settings stand it."""

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2 as sqlcipher

from fieldsync import errors
from fieldsync.store.sqlite import encryption
from fieldsync.store.sqlite.store import FILE, SqliteStore
from tests.model import vfs
from tests.model.disk import SECTOR, FaultyDisk, Written

pytestmark = pytest.mark.skipif(not vfs.is_available(), reason="SQLite's symbols are not exported here")

KEY = bytes(range(32))
TRIALS = 60


class Careless:
    """A store of one table, opened with other pragmas than the program's."""

    def __init__(self, folder: Path, pragmas: str) -> None:
        self._connection = encryption.connect(folder / FILE, KEY, create=True)
        self._connection.executescript(pragmas)
        self._connection.execute("CREATE TABLE IF NOT EXISTS saved (number INTEGER PRIMARY KEY, text TEXT)")

    def save(self, number: int, text: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO saved VALUES (?, ?)", (number, text))

    def read(self) -> dict[int, str]:
        assert [row[0] for row in self._connection.execute("PRAGMA integrity_check")] == ["ok"]
        assert self._connection.execute("PRAGMA cipher_integrity_check").fetchall() == []
        return dict(self._connection.execute("SELECT number, text FROM saved"))

    def close(self) -> None:
        self._connection.close()


class Careful:
    """The program's own store; its texts are in the table of settings. Some saves in between may be lost."""

    def __init__(self, folder: Path) -> None:
        self._store = SqliteStore(folder, KEY, create=not (folder / FILE).exists())

    def save(self, number: int, text: str) -> None:
        with self._store.write(durable=False) as tx:
            tx.sql("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"repeatable {number}", text))
        with self._store.write() as tx:
            tx.sql("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"saved {number}", text))
        if number % 7 == 6:
            self._store.run_maintenance()

    def read(self) -> dict[int, str]:
        assert self._store.find_damage() == []
        with self._store.read() as tx:
            return {
                int(name.split()[1]): value
                for name, value in tx.sql("SELECT key, value FROM meta WHERE key LIKE 'saved %'")
            }

    def close(self) -> None:
        self._store.close()


def lost(make: Callable[[Path], Careful | Careless], place: Path) -> list[str]:
    """Return what random power losses took of what was saved, in that many lives of a store."""
    found = []
    for trial in range(TRIALS):
        chance = random.Random(trial)
        folder = place / f"{trial} 0"
        folder.mkdir()
        with closing(FaultyDisk(folder)), closing(make(folder)) as store:
            store.save(0, "first")
        wanted = {0: "first"}
        for life in range(1, 4):
            disk = FaultyDisk(folder)
            into = place / f"{trial} {life}"
            try:
                store = make(folder)
                disk.fail_after(chance.randrange(1, 120))
                doubtful = {}
                try:
                    for _ in range(20):
                        number = chance.randrange(12)
                        doubtful = {number: "x" * chance.randrange(6_000)}
                        store.save(number, doubtful[number])
                        wanted |= doubtful
                except (errors.FieldsyncError, sqlcipher.Error):
                    assert disk.off
                disk.power_loss(into, chance)
                store.close()
            finally:
                disk.close()
            folder = into
            try:
                with closing(FaultyDisk(folder)), closing(make(folder)) as store:
                    there = store.read()
            except (errors.FieldsyncError, sqlcipher.Error, AssertionError) as fault:
                found.append(f"{trial}: {fault!r}")
                break
            found += [f"{trial}: {n}" for n in wanted if there.get(n) not in (wanted[n], doubtful.get(n))]
            wanted = there
    return found


def test_the_program_s_settings_lose_nothing_at_a_power_loss(tmp_path: Path) -> None:
    """Durable transactions between others, maintenance, any number of writes before the power fails: all of them are there."""
    assert lost(Careful, tmp_path) == []


@pytest.mark.parametrize(
    "pragmas",
    [
        "PRAGMA synchronous = OFF",
        "PRAGMA synchronous = NORMAL",
        "PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF",
        "PRAGMA journal_mode = MEMORY",
    ],
)
def test_careless_settings_are_found(tmp_path: Path, pragmas: str) -> None:
    """A store that does not sync before it says that something is saved loses that, or is damaged."""
    assert lost(lambda folder: Careless(folder, pragmas), tmp_path)


# --- the disk itself --------------------------------------------------------------------------------------------------


class Bytes:
    """A file of a disk without SQLite: what programs see of it is in `content`."""

    def __init__(self, disk: FaultyDisk, content: bytes) -> None:
        self.content = bytearray(content)
        self.written = Written(disk, len(content))

    def read(self, offset: int, amount: int) -> bytes:
        return bytes(self.content[offset : offset + amount])

    def write(self, offset: int, data: bytes) -> None:
        assert self.written.before_write(offset, data, self.read) == (len(data), 0)
        self.content.extend(bytes(max(0, offset - len(self.content))))
        self.content[offset : offset + len(data)] = data

    def cut(self, size: int) -> None:
        assert self.written.before_truncate(size, self.read) == 0
        del self.content[size:]

    def images(self) -> set[bytes]:
        """Return what many power losses leave, by their chances."""
        return {self.written.image(bytes(self.content), random.Random(luck)) for luck in range(400)}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FaultyDisk]:
    """A disk with an empty folder."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with closing(FaultyDisk(folder)) as made:
        yield made


def test_a_write_is_torn_at_sectors_only(disk: FaultyDisk) -> None:
    """Of one write over two sectors each is there or not, whole; what is beside it in a sector stays."""
    file = Bytes(disk, b"a" * 2 * SECTOR)
    file.write(SECTOR - 2, b"bbbb")
    front, back = b"a" * (SECTOR - 2), b"a" * (SECTOR - 2)
    assert file.images() == {front + first + last + back for first in (b"aa", b"bb") for last in (b"aa", b"bb")}


def test_writes_are_reordered_until_a_sync(disk: FaultyDisk) -> None:
    """Any of two writes may be there without the other; after a sync both are, and nothing of what was before."""
    file = Bytes(disk, bytes(2 * SECTOR))
    file.write(0, b"1")
    file.write(SECTOR, b"2")
    assert {(image[0], image[SECTOR]) for image in file.images()} == {(0, 0), (49, 0), (0, 50), (49, 50)}
    assert file.written.synced() == 0
    assert file.images() == {bytes(file.content)}


def test_a_sector_that_was_written_twice_has_any_of_its_states(disk: FaultyDisk) -> None:
    """Before, between and after; never the second write without the first one."""
    file = Bytes(disk, b"...." + bytes(SECTOR))
    file.write(0, b"1")
    file.write(1, b"2")
    assert {image[:2] for image in file.images()} == {b"..", b"1.", b"12"}


def test_a_file_that_grew_or_was_cut_has_any_of_its_sizes(disk: FaultyDisk) -> None:
    """What lies behind its former end, and did not arrive, is zeros or anything."""
    file = Bytes(disk, b"a" * SECTOR)
    file.write(SECTOR, b"b" * SECTOR)
    file.cut(0)
    images = file.images()
    assert {len(image) for image in images} == {0, SECTOR, 2 * SECTOR}
    behind = {image[SECTOR:] for image in images if len(image) == 2 * SECTOR}
    assert {b"b" * SECTOR, bytes(SECTOR)} < behind
    assert {image[:SECTOR] for image in images if image} == {b"a" * SECTOR, bytes(SECTOR)}


def test_equal_chance_gives_equal_images(disk: FaultyDisk, tmp_path: Path) -> None:
    """Two power losses by one seed leave the same files; by others, others."""
    store = sqlcipher.connect(f"{disk.folder}/plain", isolation_level=None)
    store.executescript("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; CREATE TABLE t (x)")
    for number in range(50):
        store.execute("INSERT INTO t VALUES (?)", (str(number) * 200,))
    found = []
    for number, seed in enumerate((1, 1, 2)):
        disk.power_loss(tmp_path / str(number), random.Random(seed))
        found.append({file.name: file.read_bytes() for file in (tmp_path / str(number)).iterdir()})
    store.close()
    assert found[0] == found[1] != found[2]


def test_what_was_deleted_may_come_back(disk: FaultyDisk, tmp_path: Path) -> None:
    """A store that is closed removes its log; without a sync of the folder that is there again after some power losses."""
    store = Careful(Path(disk.folder))
    store.save(0, "x")
    store.close()
    found = []
    for luck in range(20):
        disk.power_loss(tmp_path / str(luck), random.Random(luck))
        found.append((tmp_path / str(luck) / f"{FILE}-wal").exists())
        with closing(FaultyDisk(tmp_path / str(luck))), closing(Careful(tmp_path / str(luck))) as again:
            assert again.read() == {0: "x"}
    assert set(found) == {True, False}


def test_the_power_fails_within_a_save(disk: FaultyDisk) -> None:
    """From the change on that was asked for nothing is written any more, and what is open says so."""
    store = Careful(Path(disk.folder))
    with closing(store):
        store.save(0, "x")
        disk.fail_after(3)
        with pytest.raises(errors.StoreDamaged):
            store.save(1, "y")
        assert disk.off
        sizes = [file.stat().st_size for file in Path(disk.folder).iterdir()]
        with pytest.raises(errors.StoreDamaged):
            store.save(2, "z")
        assert [file.stat().st_size for file in Path(disk.folder).iterdir()] == sizes


def test_a_full_disk_is_reported_and_passes(disk: FaultyDisk) -> None:
    """A save that finds no room is DiskFull at whichever byte; what was saved stays, and the next save has room."""
    store = Careful(Path(disk.folder))
    wanted = {}
    found_none = 0
    with closing(store):
        for room in range(0, 9_000, 300):
            disk.room = room
            try:
                store.save(room, "y" * 9_000)
                wanted[room] = "y" * 9_000
            except errors.DiskFull:
                found_none += 1
            disk.room = None
            assert store.read() == wanted
            store.save(room, "z")
            wanted[room] = "z"
    assert found_none > 5


def test_a_disk_that_became_read_only_is_no_damage(disk: FaultyDisk) -> None:
    """SQLite calls it an I/O error; the program says that the store is read-only, and goes on once it is not."""
    store = Careful(Path(disk.folder))
    with closing(store):
        store.save(0, "x")
        with disk.only_read(), pytest.raises(errors.StoreReadOnly):
            store.save(1, "y")
        assert store.read() == {0: "x"}
        store.save(1, "y")
        assert store.read() == {0: "x", 1: "y"}


def test_a_slow_disk_tells_of_each_sync(disk: FaultyDisk) -> None:
    """A durable transaction waits for the disk, others do not."""
    store = Careful(Path(disk.folder))
    waited = []
    with closing(store):
        store.save(0, "x")
        disk.slow = lambda: waited.append(1)
        store.save(1, "x")
    assert waited
