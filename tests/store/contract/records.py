"""Records: unchanged states, correct digests, and queries."""

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fieldsync.core import record_ids
from fieldsync.core.commit import Commit, state_of
from fieldsync.core.register import Head, Register
from fieldsync.core.state import State, canonical_bytes, digest_term, join_states
from fieldsync.replica.apply import apply_states
from fieldsync.store import Store
from fieldsync.store.contract import RecordQuery
from tests.histories import DEVICES, RECORD, WORLDS, World
from tests.scale import examples
from tests.store.contract.support import UNITS, Contract, check_digests, put, rules
from tests.wire.test_columns import SCALARS, exact


class RecordContract(Contract):
    """Records, their digests, and what finds them."""

    @examples(60)
    @given(world=WORLDS, seed=st.randoms(use_true_random=False))
    def test_records_survive_storage(self, fresh: Callable[[], Store], world: World, seed: object) -> None:
        """Registers, values and types after any history equal those in memory."""
        said = [state_of(commit) for commit in world.commits] + [w.state for w in world.writers if w.state is not None]
        if not said:
            return
        seed.shuffle(said)  # type: ignore[attr-defined]
        store, memory = fresh(), said[0]
        for state in said[1:]:
            memory = join_states(memory, state)[0]
        for state in said:
            with store.write() as tx:
                apply_states(tx, rules(), [state], unit=UNITS[0], index=False)
            with store.read() as tx:
                row = tx.rows([RECORD])[RECORD]
            assert row.old_term & ((1 << 64) - 1) == digest_term(row.state)
        assert canonical_bytes(row.state) == canonical_bytes(memory)
        assert digest_term(row.state) == digest_term(memory)
        check_digests(store)
        store.close()

    @examples(60)
    @given(
        values=st.dictionaries(st.sampled_from(["a", "b", "c"]), SCALARS.filter(lambda v: v is not None), min_size=1),
        extra=SCALARS,
    )
    def test_values_keep_their_types(
        self, fresh: Callable[[], Store], values: dict[str, object], extra: object
    ) -> None:
        """1 is not 1.0 and not true; texts keep their digits, separators and zero bytes."""
        store, record = fresh(), RECORD
        commit = Commit(1, DEVICES[0], 1, 1, "Amal", "unknown", 1, record, None, {"_code": "JBL-A-1-00", **values}, ())  # type: ignore[arg-type]
        later = Register((Head(DEVICES[1], 1, 2, "هدى", extra),), {DEVICES[1]: 1})  # type: ignore[arg-type]
        with store.write() as tx:
            apply_states(
                tx,
                rules(),
                [state_of(commit), State(record, "unknown", None, {}, {"later": later})],
                unit=UNITS[0],
                index=False,
            )
        with store.read() as tx:
            state = tx.rows([record])[record].state
        assert exact({name: state.values[name] for name in values}) == exact(values)
        assert exact(state.fields["later"].heads[0].value) == exact(extra)
        check_digests(store)
        store.close()

    @examples(40)
    @given(steps=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 3)), max_size=25))
    def test_channels_stay_consistent(self, fresh: Callable[[], Store], steps: list[tuple[int, int, int]]) -> None:
        """Records are added, edited, moved and deleted: each channel's content, digest and departures are correct."""
        store, seq = fresh(), 0
        for what, which, unit in steps:
            record, seq = RECORD[:-1] + bytes([which]), seq + 1
            unit_ = Register((Head(DEVICES[0], seq, seq, "Amal", UNITS[unit % 2]),), {DEVICES[0]: seq})
            name = Register((Head(DEVICES[0], seq, seq, "Amal", f"name {seq}"),), {DEVICES[0]: seq})
            with store.write() as tx:
                if what == 3:
                    tx.purge_records(tx.rows([record]).values())
                else:
                    fields = {"_unit": unit_} if what else {"family_name": name}
                    apply_states(
                        tx, rules(), [State(record, "household", None, {}, fields)], unit=UNITS[0], index=False
                    )
            check_digests(store)
            with store.read() as tx:
                for row in tx.select_rows():
                    gone = {tx.channel(c).unit for c in tx.channels_left(row.n)}
                    assert tx.channel(row.channel or 0).unit not in gone
        store.close()

    def test_records_are_found_by_their_content(self, store: Store) -> None:
        """By type, unit, fields, members of sets and references; sorted and limited."""
        with store.write() as tx:
            home, other = put(tx, 1, family_name="حداد"), put(tx, 2, 2, family_name="Aziz", _unit=UNITS[1])
            person = put(tx, 3, 3, type="person", household=record_ids.id_text(home), given_name="Amal", sex="female")
        with store.read() as tx:

            def found(**wanted: Any) -> list[bytes]:
                return [row.state.record for row in tx.select_rows(RecordQuery(**wanted))]

            assert found() == [home, other, person]
            assert found(type="household") == [home, other]
            assert found(type="household", equal={"family_name": "حداد"}) == [home]
            assert found(type="household", sort="family_name", limit=1) == [other]
            assert found(type="household", sort="-family_name") == [home, other]
            assert found(type="person", named={"household": record_ids.id_text(home)}) == [person]
            assert found(unit=UNITS[1]) == [other]
            assert found(in_conflict=True) == []
            assert (tx.count_records(), tx.count_by_type()) == (3, {"household": 2, "person": 1})
            assert (tx.ids_of_type("household"), tx.ids_of_type("case")) == ([home, other], [])
            assert tx.ids_owned_by([home, other]) == [person]
            assert len(tx.ids_like(home, home[:-1] + b"\xff", "")) == 2, "two at most"
            assert sorted(tx.ids_like(home, other, "")) == [home, other]
            assert tx.sibling_ids(home, "person") == [person]
            assert tx.row(None) is None
            assert tx.rows([home, b"?" * 16]).keys() == {home}
            (entry,) = tx.at_home("person")
            assert (entry.record, entry.household, entry.doc["given_name"]) == (person, home, "Amal")
            assert [one.record for one in tx.at_home("person", [other])] == []
            assert list(tx.values_by_household("person", ["sex", "given_name"])) == [(home, ("female", "Amal"))]
            assert list(tx.values_by_household("person", ["sex", "birth_date"])) == []

    def test_open_conflicts_are_listed_without_their_records(self, store: Store) -> None:
        """With the record's channels: both, while its unit is in conflict."""
        with store.write() as tx:
            home = put(tx, 1)
            heads = tuple(Head(DEVICES[i], 1, i + 1, "Amal", UNITS[i]) for i in (0, 1))
            unit = Register(heads, {DEVICES[0]: 1, DEVICES[1]: 1})
            apply_states(tx, rules(), [State(home, "household", None, {}, {"_unit": unit})], unit=UNITS[0], index=False)
        with store.read() as tx:
            (entry,) = tx.open_conflicts()
            assert (entry.record, entry.type, set(entry.conflicts)) == (home, "household", {"_unit"})
            assert tx.in_conflict() == 1
            units = {tx.channel(n).unit for n in entry.channels}
            assert units == set(UNITS)
            row = tx.rows([home])[home]
            assert tx.further_placements.keys() == {row.n}
            assert tx.further_channels_of([home]) == {home: row.also}
        check_digests(store)

    def test_a_rewritten_record_gets_no_new_sequence_number(self, store: Store) -> None:
        """As after a renamed field."""
        with store.write() as tx:
            home = put(tx, 1, family_name="حداد")
            row = tx.rows([home])[home]
            row.doc["family_name"] = "haddad"
            tx.rewrite_rows([row])
            again = tx.rows([home])[home]
            assert (again.doc["family_name"], again.arrival) == ("haddad", row.arrival)
        check_digests(store)

    def test_text_is_found_after_indexing(self, store: Store) -> None:
        """On laptops: every word, in the script's spellings; a changed record is indexed again."""
        with store.write() as tx:
            home = put(tx, 1, index=True, family_name="Haddad")
            row = tx.rows([home])[home]
            assert tx.count_unindexed() == 1
            assert tx.index_full_text(lambda type_, doc: rules().type_rules(type_).search_words(doc), 10) == 1
            assert (tx.count_unindexed(), [one.state.record for one in tx.search_rows("haddad", -1)]) == (0, [home])
            assert (tx.codes_like("", 9), tx.codes_like("~", 9)) == (sorted(tx.codes_like("", 9)), [])
            assert tx.search_rows("aziz haddad", -1) == tx.search_rows("haddad", -1, "person") == []
            assert len(tx.search_rows("haddad", -1, "household")) == 1
            tx.invalidate_search([row.n])
            assert tx.count_unindexed() == 1
            tx.index_full_text(lambda _type, _doc: "", 10)
            tx.invalidate_search_of_type("household")
            assert tx.count_unindexed() == 1
