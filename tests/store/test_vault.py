"""Encryption: without the key the files are noise, and a changed bit is an error, never another value."""

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlcipher3 import dbapi2 as sqlcipher

from fieldsync import errors
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.store import open_store
from fieldsync.store.sqlite.store import FILE
from tests.cast import JBL, open_node, rows, unlock
from tests.conftest import Cast
from tests.scale import SCALE

PLANTED = "زينبالمزروعة"


def content(node: Node) -> list[Any]:
    """Return all that a node shows of its records and commits."""
    with node.store.read() as tx:
        commits = [(c.seq, c.hash, c.body) for c in tx.commits_behind(node.device, 0)]
    return [commits, {record: (row.doc, row.state) for record, row in rows(node).items()}]


def test_a_seized_disk_is_unreadable(people: Cast) -> None:
    """Planted names, phones, notes and form labels are in no byte of any file, during use and after."""
    node = people.amal
    family = save.add_record(
        node,
        "household",
        Changes(set={"family_name": PLANTED, "address": "planted address"}, put={"phones": ["0944123456"]}),
    )
    save.edit_record(node, family.hex(), Changes(set={"location": "planted place"}), note="planted note")
    assert [found.id for found in queries.find(node, PLANTED)]
    words = [
        PLANTED.encode(),
        PLANTED.encode("utf-16-le"),
        b"planted",
        b"944123456",
        b"family_name",
        b"SQLite",
        b"household",
        b"caseworker",  # a name of four letters is found by chance once in a thousand runs
    ]

    def look_for_it() -> None:
        for path in people.home.rglob("*"):
            if path.is_file():
                raw = path.read_bytes()
                assert not [word for word in words if word in raw], path

    assert (people.home / "amal" / (FILE + "-wal")).stat().st_size > 0
    look_for_it()
    node.store.run_maintenance()
    look_for_it()
    node.close()
    look_for_it()
    people.amal = people.open("amal")


def test_a_store_needs_its_key(people: Cast, tmp_path: Path) -> None:
    """Another key, an empty file, noise and a missing file give one clear error each."""
    with pytest.raises(errors.StoreDamaged):
        open_store(people.home / "amal", b"x" * 32)
    with pytest.raises(errors.NoStore):
        open_store(tmp_path / "nowhere", b"x" * 32)
    with pytest.raises(errors.NoStore):
        open_node(tmp_path / "nowhere")
    (tmp_path / FILE).write_bytes(random.Random(1).randbytes(40_960))
    with pytest.raises(errors.StoreDamaged):
        open_store(tmp_path, b"x" * 32)


@pytest.mark.parametrize(
    "statement",
    [
        "ATTACH DATABASE '{tmp}/out.db' AS out KEY ''", "ATTACH DATABASE '{tmp}/out.db' AS out", "ATTACH DATABASE ':memory:' AS out",
        "PRAGMA temp_store = 1", "PRAGMA temp_store = FILE", "PRAGMA temp_store_directory = '{tmp}'", "PRAGMA rekey = 'x'", "PRAGMA key = 'x'",
        "PRAGMA cipher_log = '{tmp}/log'", "PRAGMA cipher_log_level = TRACE", "PRAGMA writable_schema = 1", "VACUUM INTO '{tmp}/out.db'",
        "SELECT sqlcipher_export('out')",
    ],
)  # fmt: skip
def test_no_statement_writes_plain_text(people: Cast, tmp_path: Path, statement: str) -> None:
    """Other files, temporary files, logs and other keys are denied to all SQL on this connection."""
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises((sqlcipher.Error, errors.FieldsyncError)):
        people.amal.store._writer.execute(statement.format(tmp=tmp_path))
    assert {path for path in tmp_path.rglob("*") if path.is_file()} <= before | {
        people.home / "amal" / (FILE + end) for end in ("-wal", "-shm")
    }
    with people.amal.store.read() as tx:
        assert tx.sql("PRAGMA temp_store").fetchone() == (2,)


def test_a_sort_larger_than_the_cache_stays_in_memory(
    people: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temporary tables and sorts write no file, whatever the environment."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    for name in ("SQLITE_TMPDIR", "TMPDIR"):
        monkeypatch.setenv(name, str(folder))
    node = people.open("amal")
    connection = node.store._writer
    connection.execute("PRAGMA cache_size = -100")
    with node.store.write() as tx:
        tx.sql("CREATE TEMP TABLE big (word TEXT)")
        tx.many("INSERT INTO big VALUES (?)", [(f"{PLANTED} {i * 7919 % 50_000}",) for i in range(50_000)])
        for i, _ in enumerate(tx.sql("SELECT word FROM big ORDER BY word")):
            if i == 25_000:
                opened = (
                    [str(path.resolve()) for path in Path("/proc/self/fd").iterdir() if path.exists()]
                    if Path("/proc").exists()
                    else []
                )
                assert not [path for path in opened if "etilqs" in path or str(folder) in path]
                assert list(folder.iterdir()) == []
    node.close()


def test_any_flipped_bit_in_the_file_is_detected(people: Cast, tmp_path: Path) -> None:
    """Reads give one of our errors or the correct data; a check of the whole file finds every flip."""
    node = people.amal
    for i in range(30):
        save.add_record(node, "household", Changes(set={"family_name": "محمد", "address": f"{i} " + "x" * 300}))
    expected = content(node)
    node.close()
    chance = random.Random(5)
    original = (people.home / "amal" / FILE).read_bytes()
    places = [
        0,
        15,
        16,
        100,
        2_047,
        2_048,
        len(original) - 1,
        *(chance.randrange(len(original)) for _ in range(40 * SCALE)),
    ]
    copy = tmp_path / "copy"
    shutil.copytree(people.home / "amal", copy)
    for place in places:
        raw = bytearray(original)
        raw[place] ^= 1 << chance.randrange(8)
        for leftover in copy.glob(FILE + "*"):
            leftover.unlink()
        (copy / FILE).write_bytes(raw)
        try:
            damaged = open_node(copy)
        except errors.StoreDamaged:
            continue
        try:
            assert damaged.store.find_damage() != [], place
            assert content(damaged) == expected
        except errors.StoreDamaged:
            pass
        finally:
            damaged.close()
    people.amal = people.open("amal")


def test_a_flipped_bit_in_the_log_gives_an_error_or_an_earlier_state(people: Cast, tmp_path: Path) -> None:
    """SQLite cannot tell a torn end of its log from a flipped bit: what is read is then whole, and from before; never another value.

    A laptop that lost its tail like this is told so at its next sync (tests/server: a laptop restored from last week's copy).
    """
    node = people.amal
    node.store.run_maintenance()
    moments = [content(node)]
    for i in range(8):
        save.add_record(node, "household", Changes(set={"family_name": "محمد", "address": f"{i}"}), unit=JBL)
        moments.append(content(node))
    chance = random.Random(6)
    files = {path.name: path.read_bytes() for path in (people.home / "amal").iterdir() if path.name != FILE + "-shm"}
    log = files[FILE + "-wal"]
    found = set()
    for _ in range(30 * SCALE):
        copy = tmp_path / "copy"
        copy.mkdir()
        raw = bytearray(log)
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        for name, content_ in (files | {FILE + "-wal": bytes(raw)}).items():
            (copy / name).write_bytes(content_)
        try:
            damaged = open_node(copy)
            try:
                found.add(moments.index(content(damaged)))
            finally:
                damaged.close()
        except errors.StoreDamaged:
            pass
        shutil.rmtree(copy)
    assert len(found) > 1


def test_a_truncated_store_is_reported_as_damage(people: Cast, tmp_path: Path) -> None:
    """Half a file, or one without its first page."""
    save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}))
    people.amal.close()
    raw = (people.home / "amal" / FILE).read_bytes()
    for cut in (raw[:2_048], raw[: len(raw) // 2], raw[2_048:], raw[:-2_048], raw[:10]):
        copy = tmp_path / "copy"
        shutil.copytree(people.home / "amal", copy)
        (copy / FILE).write_bytes(cut)
        try:
            with pytest.raises(errors.StoreDamaged):
                examine(copy)
        finally:
            shutil.rmtree(copy)
    people.amal = people.open("amal")


def examine(home: Path) -> None:
    """Read all of a node and check its file; StoreDamaged for whatever is found."""
    node = open_node(home)
    try:
        content(node)
        for fault in node.store.find_damage():
            raise errors.StoreDamaged(part=fault)
    finally:
        node.close()


def test_slots_of_another_store_do_not_open_this_one(people: Cast) -> None:
    """A swapped slots file unlocks a key that is not this store's."""
    slots = people.home / "amal" / "slots.json"
    mine = slots.read_bytes()
    slots.write_bytes((people.home / "basim" / "slots.json").read_bytes())
    with pytest.raises(errors.StoreDamaged):
        open_node(people.home / "amal")
    slots.write_bytes(mine)
    assert unlock is not None
    open_node(people.home / "amal").close()
