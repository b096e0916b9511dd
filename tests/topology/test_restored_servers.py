"""Restored servers: lost commits are requested from laptops, and nothing that a laptop holds is lost or skipped."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldsync.authority import form_texts, schema_recovery, schema_rollout
from fieldsync.environment import SYSTEM
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.schema import load
from fieldsync.server.publish_schema import publish_schema
from fieldsync.store import ReadTx, Tx
from fieldsync.topology import backups, store_epochs
from fieldsync.wire.messages import Forms
from tests import directly
from tests.cast import copy_node, open_node, rows, unlock
from tests.conftest import Cast
from tests.formbook import Book
from tests.topology.test_backup import equal, family
from tests.tree import Tree

Again = Callable[[], Node]


@pytest.fixture(params=["restore", "files"])
def put_back(people: Cast, request: pytest.FixtureRequest) -> Callable[[], Again]:
    """Keep the headquarters as it is now, by `backup` or by copying its files; what is returned puts it back."""

    def keep() -> Again:
        file, folder = people.home / "hq.backup", people.home / "hq as it was"
        if request.param == "restore":
            backups.write_backup(people.hq, file)
        else:
            people.hq.close()
            copy_node(people.home / "hq", folder)
            people.hq = people.open("hq")

        def back() -> Node:
            people.hq.close()
            home: Path = people.home / "hq again"
            if request.param == "restore":
                backups.restore_backup(file, home, unlock)
            else:
                copy_node(folder, home)
            people.hq = open_node(home, people.clock)
            return people.hq

        return back

    return keep


def test_a_restored_server_recovers_commits_from_laptops(people: Cast, put_back: Callable[[], Again]) -> None:
    """Amal's and Basim's work of a day was lost with the server: after both sync it is present, and nothing new is skipped."""
    amal, basim, samar = people.laptops
    home = family(amal, "محمد", location="first")
    for node in people.laptops:
        directly.sync(node, people.hq)
    back = put_back()
    day = [family(node, "محمد", location=f"{who} {i}") for i in range(5) for who, node in (("a", amal), ("b", basim))]
    save.edit_record(amal, home, Changes(set={"location": "second"}))
    for node in (*people.laptops, *people.laptops):
        directly.sync(node, people.hq)
    hq = back()
    # so much is new before Samar comes that the server's arrivals have passed those which she has taken
    new = [family(amal, "حسن") for _ in range(30)]
    for node in (amal, samar, basim, samar, amal, basim):
        directly.sync(node, hq)
    equal(hq, *people.laptops)
    assert {row.state.record.hex() for row in rows(hq).values()} == {home, *day, *new}
    assert queries.show(hq, home).fields["location"] == "second"
    for node in people.laptops:
        assert len(rows(node)) == 1 + len(day) + len(new)
        tally = directly.sync(node, hq)
        assert (tally.commits, tally.states, tally.requests) == (0, 0, 1)


def test_records_of_a_lost_laptop_stay_where_they_are_held(people: Cast, put_back: Callable[[], Again]) -> None:
    """The server lost a family whose author's laptop is gone: the laptops that hold it keep it."""
    back = put_back()
    lost = family(people.amal, "محمد", location="only here")
    directly.sync(people.amal, people.hq)
    directly.sync(people.samar, people.hq)
    hq = back()
    directly.sync(people.samar, hq)
    family(people.basim, "حسن")
    directly.sync(people.basim, hq)
    for _ in range(3):
        directly.sync(people.samar, hq)
        assert queries.show(people.samar, lost).fields["location"] == "only here"
    assert len(rows(people.samar)) == 2
    directly.sync(people.amal, hq)  # it was found again
    directly.sync(people.samar, hq)
    equal(hq, people.samar, people.amal)


def test_a_laptop_detects_a_restore_hidden_by_new_arrivals(people: Cast) -> None:
    """Basim's family takes the lost one's sequence number before Samar syncs: her laptop keeps its records."""
    folder = people.home / "hq as it was"
    people.hq.close()
    copy_node(people.home / "hq", folder)
    people.hq = people.open("hq")
    lost = family(people.amal, "محمد", location="only here")
    directly.sync(people.amal, people.hq)
    directly.sync(people.samar, people.hq)
    people.hq.close()
    people.hq = hq = open_node(folder, people.clock)
    new = family(people.basim, "حسن")
    directly.sync(people.basim, hq)
    for _ in range(3):
        directly.sync(people.samar, hq)
        assert {row.state.record.hex() for row in rows(people.samar).values()} == {lost, new}


@pytest.mark.parametrize("way", ["line", "bundle", "line after bundles that nobody asked for"])
def test_a_branch_detects_a_restore_hidden_by_new_arrivals(way: str, tmp_path: Path) -> None:
    """Headquarters lost Amal's edit and received Dima's meanwhile: the branch sends Amal's again."""
    tree = Tree()
    try:

        def night(name: str = "jbl") -> None:
            if way.startswith("line"):
                tree.sync(name, "hq")
            else:
                (tmp_path / "night.age").unlink(missing_ok=True)
                tree.carry(name, "hq", tmp_path / "night.age")

        amal, dima, jbl = tree.nodes["amal"], tree.nodes["dima"], tree.nodes["jbl"]
        home = family(amal, "محمد", location="first")
        other = family(dima, "حسن", location="first")
        tree.sync("amal", "jbl")
        tree.sync("dima", "hq")
        night()
        tree.nodes["hq"].close()
        copy_node(tree.home / "hq", tree.home / "hq as it was")
        tree.nodes["hq"] = open_node(tree.home / "hq", tree.clock)
        save.edit_record(amal, home, Changes(set={"location": "second"}))
        tree.sync("amal", "jbl")
        night()
        tree.nodes["hq"].close()
        tree.nodes["hq"] = hq = open_node(tree.home / "hq as it was", tree.clock)
        save.edit_record(dima, other, Changes(set={"location": "second"}))
        tree.sync("dima", "hq")
        for n in range(3 if way.endswith("asked for") else 0):
            with hq.store.read() as tx:
                device = tx.device(jbl.device)
            assert device is not None
            bundle_sync.pack_reply(hq, tmp_path / f"{n}.age", device)
        for _ in range(3):
            night()
            for node in (amal, jbl):
                assert queries.show(node, home).fields["location"] == "second"
            tree.sync("amal", "jbl")
        for node in (hq, jbl, amal, dima):
            tree.sync("dima", "hq")
            assert queries.show(node, home).fields["location"] == "second"
            assert queries.show(node, other).fields["location"] == "second"
    finally:
        tree.close()


def test_a_branch_detects_a_second_restore_within_the_hour() -> None:
    """Headquarters is restored twice in an hour without a new epoch: its answer count reveals it to the branch."""
    tree = Tree()
    try:
        amal, jbl, hq = tree.nodes["amal"], tree.nodes["jbl"], tree.nodes["hq"]
        home = family(amal, "محمد", location="first")
        with hq.store.write() as tx:
            epoch = store_epochs.begin_after_restore(tx, tree.clock(), SYSTEM)
        for _ in range(2):
            tree.sync("amal", "jbl")
            tree.sync("jbl", "hq")
        hq.close()
        copy_node(tree.home / "hq", tree.home / "hq as it was")
        tree.nodes["hq"] = open_node(tree.home / "hq", tree.clock)
        save.edit_record(amal, home, Changes(set={"location": "second"}))
        tree.sync("amal", "jbl")
        tree.sync("jbl", "hq")
        tree.nodes["hq"].close()
        tree.nodes["hq"] = hq = open_node(tree.home / "hq as it was", tree.clock)
        tree.sync("jbl", "hq")
        with hq.store.read() as tx:
            assert store_epochs.current_epoch(tx) == epoch
        for node in (hq, jbl):
            assert queries.show(node, home).fields["location"] == "second"
    finally:
        tree.close()


def test_a_restored_server_begins_only_one_epoch(people: Cast, put_back: Callable[[], Again]) -> None:
    """Every client counts more answers than the server: one reports the restore, the others reset their counts."""
    back = put_back()
    for _ in range(3):
        for node in people.laptops:
            directly.sync(node, people.hq)
    hq = back()
    epochs_seen = set()
    for _ in range(3):
        for node in people.laptops:
            directly.sync(node, hq)
            with hq.store.read() as tx:
                epochs_seen.add(store_epochs.current_epoch(tx))
    assert len(epochs_seen) == 1


def test_an_edit_of_a_lost_commit_is_accepted_once_that_returns(people: Cast, put_back: Callable[[], Again]) -> None:
    """Basim edits Amal's lost value and syncs first: quarantined, and applied when Amal has synced."""
    back = put_back()
    home = family(people.amal, "محمد", location="Amal's")
    for node in people.laptops:
        directly.sync(node, people.hq)
    hq = back()
    save.edit_record(people.basim, home, Changes(set={"location": "Basim's"}))
    for node in (people.basim, people.amal, people.basim, people.samar, people.amal):
        directly.sync(node, hq)
    assert queries.show(hq, home).fields["location"] == "Basim's"
    equal(hq, *people.laptops)
    assert queries.status(people.basim).refused == []


def test_a_backup_restores_completely_or_not_at_all(people: Cast, tmp_path: Path) -> None:
    """A truncated or foreign file restores nothing; a good backup restores all, under the same key only."""
    from fieldsync import errors
    from fieldsync.crypto.slots import Slots

    for _ in range(20):
        family(people.amal, "محمد")
    file = tmp_path / "amal.backup"
    backups.write_backup(people.amal, file)
    whole = file.read_bytes()
    assert "محمد".encode() not in whole
    assert sorted(p.name for p in tmp_path.glob("amal.backup*")) == ["amal.backup"]
    with pytest.raises(errors.BadFile):
        backups.write_backup(people.amal, file)
    for broken in (b"", b"x" * 10_000, whole[: len(whole) // 2], whole[:3_000], whole[:-1_500] + b"x" * 1_500):
        file.write_bytes(broken)
        home = tmp_path / "broken"
        home.mkdir(exist_ok=True)
        try:
            backups.restore_backup(file, home, unlock)
        except errors.FieldsyncError as fault:
            assert fault.exit in (3, 8)
            assert list(home.iterdir()) == []
        else:
            assert broken[:-10_240] == whole[:-10_240]  # only the tar's own padding
            shutil.rmtree(home)
    file.write_bytes(whole)
    home = tmp_path / "good"
    home.mkdir()

    def wrong(slots: Slots) -> bytes:
        return slots.open_keyfile(b"another key file's bytes, 32....")

    with pytest.raises(errors.WrongPassphrase):
        backups.restore_backup(file, home, wrong)
    backups.restore_backup(file, home, unlock)
    node = open_node(home)
    assert len(rows(node)) == 20
    node.close()


def test_a_restored_server_recovers_its_forms(people: Cast, put_back: Callable[[], Again], tmp_path: Path) -> None:
    """Headquarters renamed a field and lost that with its disk: Amal's laptop brings the forms back."""
    book = Book()
    publish_schema(people.hq, book.write(tmp_path / "forms"))
    directly.sync(people.amal, people.hq)
    visit = save.add_record(people.amal, "visit", Changes(set={book.questions[0].name: "x"}), unit="LAT/JBL")
    directly.sync(people.amal, people.hq)
    back = put_back()
    book.rename(0)
    publish_schema(people.hq, book.write(tmp_path / "forms"))
    directly.sync(people.amal, people.hq)
    hq = back()
    assert hq.forms[:4] < people.amal.forms[:4]
    for node in (people.amal, people.amal, people.samar):
        directly.sync(node, hq)
    assert hq.forms == people.amal.forms == people.samar.forms
    assert {rows(node)[visit].doc[book.questions[0].name] for node in (hq, people.amal, people.samar)} == {"x"}
    equal(hq, people.amal, people.samar)
    assert directly.sync(people.amal, hq).requests == 1


def test_forms_signed_by_others_are_refused(people: Cast, tmp_path: Path) -> None:
    """Basim's tampered laptop brings forms signed by itself, or in headquarters' name: refused."""
    book = Book()
    publish_schema(people.hq, book.write(tmp_path / "forms"))
    before = people.hq.forms
    good = schema_recovery.sign_forms(book.texts(), 9, people.hq.key)
    changed = good | {"visit.toml": good["visit.toml"] + "# and more\n"}
    for texts in (schema_recovery.sign_forms(book.texts(), 9, people.basim.key), changed):
        with people.basim.store.write() as tx:
            schema_rollout.put_in_force(people.basim, tx, texts)
        for _ in range(3):
            directly.sync(people.basim, people.hq)
        assert people.hq.forms == before
        with people.hq.store.write() as tx:
            _bring(people.hq, tx, texts)
        assert people.hq.forms == before


def test_lost_forms_are_superseded_by_later_ones(people: Cast, tmp_path: Path) -> None:
    """The restored headquarters published other forms than it lost: its next forms get a higher number."""
    book = Book()
    publish_schema(people.hq, book.write(tmp_path / "forms"))
    lost = schema_recovery.sign_forms(book.texts(), 7, people.hq.key)
    book.add("text")
    number = publish_schema(people.hq, book.write(tmp_path / "forms")).number
    with people.hq.store.write() as tx:
        _bring(people.hq, tx, lost)
    assert people.hq.forms[:4] == int(number).to_bytes(4)
    book.add("text")
    assert publish_schema(people.hq, book.write(tmp_path / "forms")).number == 8


def test_forms_with_a_reused_number_converge(people: Cast, put_back: Callable[[], Again], tmp_path: Path) -> None:
    """Headquarters lost forms and published others under the same number: all nodes end with headquarters' forms."""
    hq, amal, samar = people.hq, people.amal, people.samar
    book = Book()
    publish_schema(hq, book.write(tmp_path / "forms"))
    directly.sync(amal, hq)
    back = put_back()
    lost = Book()
    lost.add("text")
    number = publish_schema(people.hq, lost.write(tmp_path / "lost")).number
    directly.sync(amal, people.hq)
    epoch = _epoch(people.hq)
    hq = back()
    book.add("choice")
    again = publish_schema(hq, book.write(tmp_path / "forms")).number
    assert (again > number) is (_epoch(hq) != epoch), "a restore that is known of leaves numbers out"
    for node in (amal, samar, amal, samar, amal):
        directly.sync(node, hq)
    assert hq.forms == amal.forms == samar.forms
    assert hq.forms[:4] > int(number).to_bytes(4)
    (new,) = hq.schema.types["visit"].fields.keys() - {"q0", "q1", "q2", "q3"}
    assert hq.schema.types["visit"].fields[new].type == "choice"
    assert directly.sync(amal, hq).requests == 1
    before = hq.forms
    with hq.store.write() as tx:
        _bring(hq, tx, schema_recovery.sign_forms(lost.texts(), number, hq.serving_key))
    assert hq.forms == before


def test_a_branch_does_not_forward_lost_forms(tmp_path: Path) -> None:
    """Jableh has the lost forms, headquarters others of that number: Basim's sync reveals it, and Amal keeps her forms."""
    tree = Tree()
    try:
        hq, jbl, amal, basim = (tree.nodes[name] for name in ("hq", "jbl", "amal", "basim"))
        tree.settle()
        hq.close()
        copy_node(tree.home / "hq", tmp_path / "hq")
        hq = open_node(tree.home / "hq", tree.clock)
        lost, book = Book(), Book()
        lost.add("text")
        book.add("choice")
        publish_schema(hq, lost.write(tmp_path / "lost"))
        directly.sync(jbl, hq)
        directly.sync(basim, hq)
        hq.close()
        hq = tree.nodes["hq"] = open_node(tmp_path / "hq", tree.clock)
        publish_schema(hq, book.write(tmp_path / "forms"))
        assert (hq.forms[:4], hq.forms == jbl.forms) == (jbl.forms[:4], False)
        for node in (basim, basim, amal):
            directly.sync(node, hq)
        tree.sync("amal", "jbl")
        assert amal.forms == hq.forms
        for _ in range(2):
            for name in ("amal", "basim"):
                tree.sync(name, "jbl")
            tree.sync("jbl", "hq")
        assert hq.forms == jbl.forms == amal.forms == basim.forms
        with basim.store.read() as tx:
            listed = form_texts.list_form_texts(book.texts())
            assert schema_recovery.find_signer(listed, _published(tx)) == hq.serving_key.device
    finally:
        tree.close()


def _epoch(node: Node) -> bytes:
    with node.store.read() as tx:
        return store_epochs.current_epoch(tx)


def _published(tx: ReadTx) -> str:
    return form_texts.texts_in_force(tx)[load.PUBLISHED]


def _bring(node: Node, tx: Tx, texts: dict[str, str]) -> None:
    """Have forms come to a server from a device, claim and texts in one."""
    listed = form_texts.list_form_texts(texts)
    pieces = tuple((n, 0, texts[one.name].encode()) for n, one in enumerate(listed))
    schema_recovery.restore_forms(node, tx, bytes(16), Forms(listed, pieces))
