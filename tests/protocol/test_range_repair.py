"""Range repair: damage on either side is found by digests, repaired in few requests, and reported."""

import math
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.core.register import Head, Register
from fieldsync.core.state import canonical_bytes, digest_term
from fieldsync.exchange.tables import import_records
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from tests import directly
from tests.cast import JBL, rows
from tests.conftest import Cast
from tests.lines import Relay, closing
from tests.offices import Office, office_in, write

MANY = 1_500


@pytest.fixture(scope="module")
def busy(cast_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Have an office where three laptops and the headquarters hold some thousands of records, edited here and there."""
    with office_in(cast_template, tmp_path_factory.mktemp("office")) as office:
        fill(office)
        yield office


def fill(office: Office) -> None:
    """Register the families, and edit some."""
    office.register("amal", MANY)
    office.sync("amal", "basim", "samar")
    for record in list(rows(office["basim"]))[::200]:
        save.edit_record(office["basim"], record.hex(), Changes(set={"address": "طرطوس"}, put={"groups": ["orphan"]}))
    office.sync("basim", "amal", "samar")


@pytest.fixture
def full(busy: Office) -> Office:
    """Return that office, with all of them up to date: which every test leaves behind."""
    busy.sync("amal", "basim", "samar")
    with busy["hq"].store.read() as tx:
        assert tx.count_records() == MANY
    return busy


def lose(node: Node, records: list[bytes]) -> None:
    """Lose rows, as a bug would: gone from table and digest, with nothing said in the log."""
    with node.store.write() as tx:
        tx.purge_records(tx.rows(records).values())


def spoil(node: Node, record: bytes) -> None:
    """Change a row's registers: an address that nobody wrote."""
    with node.store.write() as tx:
        row = tx.rows([record])[record]
        base = row.state.base
        assert base is not None
        written = Register(
            (Head(base.device, base.seq + 100_000, base.stamp, base.author, "invented"),),
            {base.device: base.seq + 100_000},
        )
        row.state = row.state._replace(fields={**row.state.fields, "address": written})
        row.doc["address"] = "invented"
        tx.save_rows({record: (row, None)})


def bound(count: int, differing: int) -> int:
    """Return how many requests the healing of so many differences in so many records may take, besides the sync's own."""
    depth = math.ceil(math.log(max(count / 64, 1), 16)) + 1
    return depth * math.ceil(min(differing, count / 64) * 16 / 256 + 1) + math.ceil(differing / 200)


def heals(office: Office, name: str, differing: int) -> None:
    """Assert that one sync finds and heals this, in few requests, and that the next has nothing to say."""
    (synced,) = office.sync(name)
    assert synced.digest == "healed"
    assert synced.requests - 1 <= bound(MANY, differing)
    office.equal(name)
    (again,) = office.sync(name)
    assert (again.digest, again.requests) == ("equal", 1)
    assert integrity.check_integrity(office[name]).ok


@pytest.mark.parametrize("count", [1, 20, MANY])
def test_rows_lost_on_a_laptop_are_fetched_again(full: Office, count: int) -> None:
    """One, some, many, all."""
    lose(full["amal"], random.Random(count).sample(sorted(rows(full["amal"])), count))
    heals(full, "amal", count)
    assert len(rows(full["amal"])) == MANY


@pytest.mark.parametrize("count", [1, 400])
def test_rows_lost_on_the_server_are_rebuilt(full: Office, count: int) -> None:
    """The server rebuilds them from its commits; no laptop loses them, and all nodes get them unchanged."""
    lost = random.Random(count).sample(sorted(rows(full["hq"])), count)
    before = {record: canonical_bytes(row.state) for record, row in rows(full["samar"]).items()}
    lose(full["hq"], lost)
    heals(full, "samar", count)
    full.sync("amal", "basim")
    full.equal("amal", "basim", "samar")
    for name in ("hq", "amal", "basim", "samar"):
        assert {record: canonical_bytes(row.state) for record, row in rows(full[name]).items()} == before


@pytest.mark.parametrize("where", ["amal", "hq"])
def test_altered_registers_are_repaired(full: Office, where: str) -> None:
    """A register that no commit wrote, on either side: only signed commits count."""
    record = sorted(rows(full["hq"]))[MANY // 2]
    before = canonical_bytes(rows(full["samar"])[record].state)
    spoil(full[where], record)
    heals(full, "amal", 1)
    full.sync("basim", "samar")
    full.equal("amal", "basim", "samar")
    assert canonical_bytes(rows(full["hq"])[record].state) == before


def test_records_without_commits_are_dropped(full: Office) -> None:
    """A laptop drops records that no commit created."""
    row = rows(full["basim"])[sorted(rows(full["basim"]))[0]]
    with full["basim"].store.write() as tx:
        invented = type(row)(0, row.state._replace(record=b"\x02" * 16), dict(row.doc), dict(row.arrivals))
        invented.channel, invented.code = row.channel, row.code
        tx.save_rows({invented.state.record: (invented, None)})
    heals(full, "basim", 1)
    assert b"\x02" * 16 not in rows(full["basim"])


def test_damage_on_both_sides_is_repaired(full: Office) -> None:
    """Different rows lost on the server and on two laptops: after two rounds of syncs all nodes have everything."""
    everything = sorted(rows(full["hq"]))
    for i, name in enumerate(("hq", "amal", "basim")):
        lose(full[name], everything[i * 400 : i * 400 + 300])
    told = full.sync("amal", "basim", "samar")
    assert [one.digest for one in told[:2]] == ["healed", "healed"]
    full.sync("amal", "basim", "samar")
    full.equal("amal", "basim", "samar")
    assert len(rows(full["hq"])) == MANY
    assert integrity.check_integrity(full["hq"]).faults == []


def test_an_interrupted_repair_loses_nothing(full: Office) -> None:
    """The connection breaks during repair, repeatedly: a laptop never holds less than before, and is repaired in the end."""
    lose(full["amal"], sorted(rows(full["amal"]))[:600])
    with closing(Relay(full.port)) as line:
        full.meets("amal", line.port)
        held = len(rows(full["amal"]))
        for limit in (2_500, 9_000, 20_000):
            line.cut_down = limit
            with pytest.raises(errors.CutOff):
                full.sync("amal")
            assert len(rows(full["amal"])) >= held
            held = len(rows(full["amal"]))
    full.meets("amal", full.port)
    heals(full, "amal", 600)


def test_pending_commits_survive_a_repair(full: Office) -> None:
    """An edit saved during a repair is kept and sent with the next sync."""
    record = sorted(rows(full["amal"]))[7]
    spoil(full["amal"], record)
    talk = directly.Direct(full["amal"], full["hq"])
    talk.run_sync()
    save.edit_record(full["amal"], record.hex(), Changes(set={"location": "later"}))
    assert talk.repair_channel(JBL) == 0
    assert rows(full["amal"])[record].doc["location"] == "later"
    full.sync("amal", "amal", "basim")
    full.equal("amal", "basim")
    assert rows(full["basim"])[record].doc["location"] == "later"


def test_many_differences_span_several_frames(people: Cast) -> None:
    """A thousand of six thousand rows lost: the lists of differences take several frames, and all is repaired."""
    file = people.home / "families.csv"
    file.write_text("\n".join(["family_name,location", *(f"محمد,{i}" for i in range(6_000))]) + "\n", encoding="utf-8")
    import_records.import_file(people.amal, file, "household")
    directly.sync(people.amal, people.hq)
    before = sorted(rows(people.amal))
    lose(people.amal, random.Random(5).sample(before, 1_000))
    told = directly.sync(people.amal, people.hq)
    assert told.healed == 1_000
    assert told.requests < 12
    assert directly.differing(people.amal, people.hq) == []
    assert sorted(rows(people.amal)) == before


def test_a_quarantined_edit_is_removed_by_repair(full: Office) -> None:
    """An edit quarantined by the server does not stay in its author's record."""
    amal = full["amal"]
    record = sorted(rows(amal))[0]
    write(amal, record, {"nonsense": 1})
    with amal.store.write() as tx:
        tx.sql("UPDATE record SET doc = json_set(doc, '$.nonsense', 1) WHERE id = ?", (record,))
    assert full.sync("amal")[0].refused == 1
    assert "nonsense" not in rows(full["basim"])[record].doc


@pytest.mark.parametrize("change", ["doc", "term", "digest", "row"])
def test_check_finds_damage_hidden_from_digests(people: Cast, change: str) -> None:
    """A file altered together with its counters is found by `check`, record by record."""
    record = save.add_record(people.amal, "household", Changes(set={"family_name": "محمد", "location": "جبلة"}))
    save.edit_record(people.amal, record.hex(), Changes(set={"location": "اللاذقية"}))
    directly.sync(people.amal, people.hq)
    statement = {
        "doc": "UPDATE record SET doc = json_set(doc, '$.location', 'elsewhere')",
        "term": "UPDATE record SET term = term + 1",
        "digest": "UPDATE channel SET digest = digest + 1",
        "row": "DELETE FROM record",
    }[change]
    for node in (people.hq, people.amal) if change != "doc" else (people.hq,):
        assert integrity.check_integrity(node).ok
        with node.store.write() as tx:
            tx.sql(statement)
        found = integrity.check_integrity(node)
        assert not found.ok
        assert {fault.what for fault in found.faults} & {"document", "term", "digest", "registers"}


def test_every_write_changes_the_digest_term(people: Cast) -> None:
    """The digest's term of a record changes with every write to it."""
    record = save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}))
    seen = {digest_term(rows(people.amal)[record].state)}
    for i in range(20):
        save.edit_record(people.amal, record.hex(), Changes(set={"location": f"{i}"}, put={"groups": ["orphan"]}))
        seen.add(digest_term(rows(people.amal)[record].state))
    assert len(seen) == 21
