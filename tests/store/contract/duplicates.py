"""Possible duplicates and merges; issued reports, and the narrow report tables."""

import random
from itertools import combinations

from fieldsync.core import record_ids
from fieldsync.core.merges import standing_records
from fieldsync.linkage.comparison import Likeness
from fieldsync.store import Store
from fieldsync.store.contract import IssuedReport, LastSync, block_members
from tests.store.contract.support import UNITS, Contract, put, record


def name(which: int) -> str:
    """Return a record's id as references write it."""
    return record_ids.id_text(record(which))


class DuplicateContract(Contract):
    """Records that may be one."""

    def test_merges_are_followed_whatever_was_changed_before(self, store: Store) -> None:
        """Lines, cycles, open ones and undone ones: each record's last one is as if all were followed anew."""
        chance, names = random.Random(17), [name(which) for which in range(12)]
        known: dict[str, str | None] = {}
        for _ in range(300):
            changes = {one: chance.choice([None, *names]) for one in chance.sample(names, chance.randint(1, 3))}
            undecided = {one for one in changes if chance.random() < 0.2}
            for one, other in changes.items():
                known[one] = None if one in undecided else other
                if other is None:
                    del known[one]
            with store.write() as tx:
                tx.set_merged(changes, undecided)
                assert tx.merge_targets == standing_records(known)
            with store.read() as tx:
                assert tx.merge_targets == standing_records(known)

    def test_only_the_given_records_leave_the_queue_of_those_without_blocks(self, store: Store) -> None:
        """One with a lower number that another process added meanwhile stays in it."""
        with store.write() as tx:
            for which in (1, 2, 3):
                put(tx, which, family_name="حسن")
            low, *others = tx.records_without_blocks(9)
            tx.put_blocks(others, [])
            assert (tx.records_without_blocks(9), tx.records_without_pairs(9)) == ([low], others[::-1])

    def test_records_are_compared_block_by_block(self, store: Store) -> None:
        """Blocks are built first, then records are compared; a pair stays until it is decided or dropped."""
        with store.write() as tx:
            home = put(tx, 9)
            people = [put(tx, which, type="person", household=name(9), given_name="Amal") for which in (1, 2, 3)]
            every = [tx.rows([one])[one].n for one in (home, *people)]
            numbers = every[1:]
            assert tx.records_without_blocks(99) == every
            assert tx.uncompared_counts() == (4, 0)
            tx.put_blocks(every, [member for n in numbers for member in block_members([5, 6], n)])
            assert (tx.records_without_blocks(99), tx.records_without_pairs(2)) == ([], every[:1:-1])
            assert tx.records_in_blocks({5: ()}, 9) == set(numbers)
            assert tx.records_in_blocks({5: ()}, 2) == set(), "one that is too full says nothing"
            tx.put_blocks([], block_members([7], numbers[0]))
            assert tx.records_in_blocks({5: (6, 7)}, 2) == {numbers[0]}, "but smaller ones stand for it"
            linked = list(tx.compared_records(numbers[:1]))
            assert [(one.n, one.record, one.owner) for one in linked] == [(numbers[0], people[0], home)]
            assert tx.owner_documents([home])[home]["_unit"] == UNITS[0]
            a, b, c = numbers
            tx.put_pairs(every, [(b, a, Likeness(0.9, ())), (b, c, Likeness(0.5, ()))])
            assert tx.uncompared_counts() == (0, 0)
            likely, other = tx.open_pairs(0.1)
            assert (likely.older, likely.newer, likely.score) == (people[0], people[1], 0.9)
            assert (other.score, tx.open_pairs(0.6, "case")) == (0.5, [])
            tx.drop_pairs([c])
            assert tx.open_pairs(0.1) == [likely]
        with store.write() as tx:
            tx.set_distinct(people[0], [name(2)])
            assert tx.open_pairs(0.1) == []
            assert [pair[:2] for pair in tx.pairs_called_two(0.1)] == [tuple(people[:2])]
            assert tx.pairs_called_two(0.95) == tx.pairs_called_two(0.1, "household") == []
            assert tx.distinct_pairs == {frozenset(people[:2])}
        with store.write() as tx:
            tx.invalidate_blocks(numbers[:1])
            assert tx.records_without_blocks(99) == numbers[:1]
            tx.invalidate_all_blocks()
            assert set(numbers) <= set(tx.records_without_blocks(99))

    def test_shared_contacts_are_counted_per_family(self, store: Store) -> None:
        """A person counts for the family; pairs by a widely shared contact are compared again once."""
        with store.write() as tx:
            homes = [put(tx, which) for which in (8, 9)]
            people = [put(tx, which, type="person", household=name(9), given_name="Amal") for which in (1, 2, 3)]
            first, second, a, b, c = (tx.rows([one])[one].n for one in (*homes, *people))
            every = [first, second, a, b, c]
            tx.put_blocks(every, [member for n in every for member in block_members([7], n)])
            assert [tx.count_families(7, most) for most in (9, 1)] == [2, 1]
            assert tx.count_families(8, 9) == 0
            tx.put_pairs(every, [(a, b, Likeness(0.9, ("phone",))), (b, c, Likeness(0.5, ("place",)))])
            tx.reopen_shared_pairs(7, "phone")
            assert tx.records_without_pairs(99) == [b, a]
            tx.put_pairs([a, b], [(a, b, Likeness(0.9, ("phone",)))])
            tx.reopen_shared_pairs(7, "phone")
            assert tx.records_without_pairs(99) == []

    def test_pairs_across_channels_are_listed_from_a_number_on(self, store: Store) -> None:
        """Only to devices that see one of the two; 0 if there is nothing new."""
        with store.write() as tx:
            put(tx, 8)
            put(tx, 9, 2, _unit=UNITS[1])
            one = put(tx, 1, 3, type="person", household=name(8), given_name="Amal")
            two = put(tx, 2, 4, type="person", household=name(9), given_name="Amal")
            numbers = [tx.rows([each])[each].n for each in (one, two)]
            tx.put_pairs(numbers, [(*numbers, Likeness(0.9, ()))])
            channel, other = (tx.channel(tx.channel_number(unit)) for unit in UNITS)
            found = tx.pairs_across(0, [channel], 0.5, 99)
            assert found.records == (one,)
            assert tx.pairs_across(0, [channel, other], 0.5, 99).records == ()
            assert tx.pairs_across(found.last, [channel], 0.5, 99) == (0, ())
            assert tx.note_elsewhere([one, record(7)]) == 1
            assert tx.note_elsewhere([one]) == 0
        with store.read() as tx:
            assert tx.records_elsewhere == {one}

    def test_pairs_across_are_found_from_the_few_records_of_a_channel(self, store: Store) -> None:
        """Where there are more new pairs than records in it, they are not gone through."""
        with store.write() as tx:
            put(tx, 8)
            some = [put(tx, which, which, type="person", household=name(8)) for which in range(1, 6)]
            alone = put(tx, 9, 9, _unit=UNITS[1], type="person")
            numbers = {one: tx.rows([one])[one].n for one in (*some, alone)}
            for pairs in (combinations(some, 2), [(some[0], alone)]):
                tx.put_pairs([], [(numbers[a], numbers[b], Likeness(0.9, ())) for a, b in pairs])
            many, few = (tx.channel(tx.channel_number(unit)) for unit in UNITS)
            assert tx.pairs_across(0, [few], 0.5, 99).records == (alone,)
            assert tx.pairs_across(0, [many], 0.5, 99).records == (some[0],)
            assert tx.pairs_across(0, [few], 0.5, 99) == tx.pairs_across(10, [few], 0.5, 99), "one new pair, one record"

    def test_a_merged_record_leads_to_the_surviving_one(self, store: Store) -> None:
        """Through any number of steps; if the survivor is not here, the oldest one that is."""
        with store.write() as tx:
            for which in (1, 2, 3):
                put(tx, which)
            tx.set_merged({name(1): name(2), name(2): name(3)})
        with store.write() as tx:
            assert tx.merge_targets == {name(1): name(3), name(2): name(3)}
            assert (tx.is_merged(record(1)), tx.is_merged(record(3))) == (True, False)
            assert set(tx.merged_into([name(3)])) == {record(2)}
            tx.set_merged({name(1): None, name(2): name(7)})
        with store.read() as tx:
            assert tx.merge_targets == {name(2): name(7)}
            assert tx.held_merge_targets[name(7)] == name(2)

    def test_a_question_about_a_merge_is_new_once(self, store: Store) -> None:
        """With its heads; None ends it."""
        with store.write() as tx:
            put(tx, 1)
            assert tx.set_questioned_merges({record(1): "heads"}) == [record(1)]
            assert tx.set_questioned_merges({record(1): "heads"}) == []
        with store.write() as tx:
            assert tx.questioned_merges == {record(1): "heads"}
            assert tx.set_questioned_merges({record(1): None}) == [record(1)]
        with store.read() as tx:
            assert tx.questioned_merges == {}


class ReportContract(Contract):
    """What reports are made from."""

    def test_an_issued_report_does_not_change(self, store: Store) -> None:
        """A report is issued once per period and unit."""
        one = IssuedReport("visits", "2026-01", "LAT", 5, "Samar", [{"n": 1}], [LastSync("LAT", None)])
        with store.write() as tx:
            assert tx.put_issued_report(one)
            assert not tx.put_issued_report(one._replace(by="Huda", rows=[]))
            assert tx.issued_report("visits", "2026-01", "LAT") == one
            assert tx.issued_report("visits", "2026-02", "LAT") is None

    def test_a_report_table_is_built_in_slices_and_updated(self, store: Store) -> None:
        """It is ready when no slice is left; later changes and removals are found without reading everything."""
        fields = [("family_name", False)]
        with store.write() as tx:
            put(tx, 1, family_name="one")
            put(tx, 2, family_name="two")
            assert (tx.count_of_types(["household"]), tx.count_of_types(["person"]), tx.report_tables()) == (2, 0, {})
            assert tx.make_report_table("household", fields, "forms") == 2
            assert tx.make_report_table("household", fields, "forms") is None
            assert tx.report_tables() == {"household": ["forms", "family_name"]}
            tx.mark_report_tables_current()
            assert (tx.collect_report_changes(), tx.have_records_departed()) == (0, False)
            put(tx, 1, 5, family_name="later")
            assert tx.collect_report_changes() == 1
            tx.refresh_report_table("household", fields)
            tx.mark_report_tables_current()
            tx.purge_records(tx.rows([record(2)]).values())
            assert tx.have_records_departed()
            tx.purge_report_table("household")
            tx.mark_report_tables_current()
            assert not tx.have_records_departed()
            tx.drop_report_tables()
            assert tx.report_tables() == {}

    def test_a_report_reads_additional_tables(self, store: Store) -> None:
        """Small tables of other data, beside the views."""
        reader = store.open_report_reader([], None, sheets=False)
        try:
            reader.fill_table("visit", ["place", "n"], [("Jableh", 2), ("Qardaha", 3)])
            columns, rows = reader.run_query("SELECT sum(n) AS total FROM visit", {}, name="visits", sealed=False)
            assert (columns, rows) == (["total"], [(5,)])
        finally:
            reader.close()
