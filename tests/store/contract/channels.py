"""Channels and projections: entries for each device, their order, and departures."""

from fieldsync import errors
from fieldsync.core.state import digest_term, project_state
from fieldsync.store import Store
from fieldsync.store.contract import PERSON, SERVER_ABOVE, ChannelEntry, RequestedRecords
from tests.histories import DEVICES
from tests.store.contract.support import UNITS, Contract, check_digests, log, put, record


def told(entries: list[ChannelEntry]) -> list[tuple[bytes, bool]]:
    """Return which records these entries tell of, and whether they have left."""
    return [(one.row.state.record, one.gone) for one in entries if one.row is not None]


class ChannelContract(Contract):
    """One unit's records in the order of their arrival."""

    def test_a_channel_is_read_page_by_page_and_backwards(self, store: Store) -> None:
        """Each record once, at its last change; departures only when reading forwards."""
        with store.write() as tx:
            for which in (1, 2, 3):
                put(tx, which)
            put(tx, 1, 4, family_name="later")
            tx.release_records(tx.rows([record(2)]).values())
        with store.read() as tx:
            channel = next(one for one in tx.channels() if one.unit == UNITS[0])
            entries = tx.page_forward(channel.n, 0, 10)
            assert told(entries) == [(record(3), False), (record(1), False), (record(2), True)]
            assert entries[-1].arrival == channel.arrival
            (first,) = (one.arrival for one in entries if one.row is not None and one.row.state.record == record(3))
            assert told(tx.page_forward(channel.n, first, 10)) == [(record(1), False), (record(2), True)]
            assert told(tx.page_forward(channel.n, 0, 10, {first})) == [(record(1), False), (record(2), True)]
            assert len(tx.page_forward(channel.n, 0, 2)) == 2
            assert told(tx.page_back(channel.n, channel.arrival, 0, 10)) == [(record(1), False), (record(3), False)]
            assert (tx.has_unit(UNITS[0]), tx.has_unit("LAT")) == (True, False)
            assert tx.count_channels() == len(tx.channels())
            assert tx.channel_names() == {one.n: one.unit for one in tx.channels()}
            assert (tx.arrival_of(UNITS[0]), tx.arrival_of("LAT")) == (channel.arrival, 0)

    def test_channels_are_found_by_unit_prefix(self, store: Store) -> None:
        """A unit's own and all below it; a name with a common prefix is another unit."""
        with store.write() as tx:
            for unit in ("LAT", "LAT/JBL", "LATAKIA", "LAT/JBL/1"):
                assert tx.channel_number(unit) == tx.channel_number(unit)
            assert [one.unit for one in tx.channels_in(["LAT"])] == ["LAT", "LAT/JBL", "LAT/JBL/1"]
            assert [one.unit for one in tx.channels_in(["LAT/JBL"], ["LATAKIA"])] == ["LAT/JBL", "LAT/JBL/1", "LATAKIA"]

    def test_refusals_are_reported_by_channel(self, store: Store) -> None:
        """Of the channel's records and of missing ones; not of another channel's, nor of awaiting commits."""
        with store.write() as tx:
            for which in (1, 2):
                put(tx, which)
            put(tx, 2, 3, _unit=UNITS[1])
            old, new = map(tx.channel_number, UNITS)
            log(tx, 0, 1, 1, 2, 9)
            for seq in (2, 3, 4):
                tx.quarantine_commit(DEVICES[0], seq, errors.Revoked())
            tx.quarantine_commit(DEVICES[0], 1, errors.Revoked(), waits_for=[PERSON])
            asked = [record(1), record(2), record(8), record(9)]
            elsewhere = (record(9), 4, "revoked", False, False, False)
            for unit, here in (
                (old, [(record(1), 1, "revoked", True, True, False), (record(1), 2, "revoked", True, False, False)]),
                (new, [(record(2), 3, "revoked", True, False, False)]),
            ):
                found = [
                    (one.record, one.seq, one.code, one.here, one.waits, one.above)
                    for one in tx.refused_about(unit, asked)
                ]
                assert found == [*here, elsewhere]
            tx.quarantine_commit(DEVICES[0], 3, errors.Undecided(), waits_for=[SERVER_ABOVE])
            assert [(one.waits, one.above) for one in tx.refused_about(new, asked)] == [(True, True), (False, False)]

    def test_requested_records_are_reported_with_their_fate(self, store: Store) -> None:
        """Present, or departed for another channel; a record in no channel is not reported."""
        with store.write() as tx:
            for which in (1, 2):
                put(tx, which)
            put(tx, 2, 3, _unit=UNITS[1])
            old, new = map(tx.channel_number, UNITS)
            asked = [record(1), record(2), record(9)]
            assert tx.requested_records(old, asked) == RequestedRecords([record(1)], [record(2)], [])
            assert tx.requested_records(new, asked) == RequestedRecords([record(2)], [], [])
            assert tx.channels_of(asked) == {record(1): old, record(2): new}
            moved = tx.rows([record(2)])[record(2)]
            assert tx.channels_left(moved.n) == [old]
            assert [channel for channel, _ in tx.departure_entries(moved.n)] == [old]
        check_digests(store)

    def test_a_record_never_held_can_be_departed(self, store: Store) -> None:
        """A laptop that has it from elsewhere is informed, and so is one that may have believed it in the channel."""
        with store.write() as tx:
            channel, other = map(tx.channel_number, UNITS)
            tx.note_unheld(channel, [record(9)])
            assert (tx.channels_never_held(record(9)), tx.channels_never_held(record(8))) == ([channel], [])
            row = tx.rows([put(tx, 1)])[record(1)]
            tx.add_gone_entry(other, row.n)
            assert tx.channels_left(row.n) == [other]
            assert [one.gone for one in tx.page_forward(other, 0, 10)] == [True]

    def test_departed_records_are_reported_once(self, store: Store) -> None:
        """Except those that have returned meanwhile."""
        with store.write() as tx:
            rows = [tx.rows([put(tx, which)])[record(which)] for which in (1, 2)]
            tx.note_departed(rows, UNITS[1])
            tx.purge_records(rows)
            put(tx, 2)
            (one,) = tx.departed_records()
            assert (one.record, one.type, one.unit) == (record(1), "household", UNITS[1])
            tx.forget_departed()
            assert tx.departed_records() == []

    def test_sweeping_changes_no_page(self, store: Store) -> None:
        """Outdated entries are deleted without visible effect."""
        with store.write() as tx:
            for seq in range(1, 1_200):
                put(tx, seq % 3, seq, family_name=f"name {seq}")
            channel = tx.channel_number(UNITS[0])
            before = tx.page_forward(channel, 0, 2_000)
            tx.sweep_entries()
            after = tx.page_forward(channel, 0, 2_000)
        assert told(after) == told(before)
        assert len(after) == len(told(after)) == 3 < len(before)
        check_digests(store)

    def test_a_branch_keeps_departed_records_in_their_own_channel(self, store: Store) -> None:
        """Without departed records there is no such channel."""
        with store.read() as tx:
            assert tx.departed_channel == 0
        with store.write() as tx:
            row = tx.rows([put(tx, 1)])[record(1)]
            tx.release_records([row])
        with store.read() as tx:
            assert tx.departed_channel == tx.rows([record(1)])[record(1)].channel


class ProjectionContract(Contract):
    """The parts of records that are shared with other units."""

    def test_only_shared_fields_reach_a_shared_channel(self, store: Store) -> None:
        """With a sequence number and a digest of its own; when the sharing ends, a departure is reported."""
        with store.write() as tx:
            home, referral = put(tx, 1, family_name="حداد", phone="0999"), put(tx, 2)
            assert not tx.has_projections
            channel = tx.channel_number("HOSPITAL")
            assert tx.set_parts(referral, {(home, channel): ["family_name"], (record(7), 0): []}) == {home, record(7)}
            assert tx.set_parts(referral, {(home, channel): ["family_name"], (record(7), 0): []}) == set()
            row = tx.rows([home])[home]
            tx.update_projections([row])
            assert tx.has_projections
            assert (
                tx.projection_sources([home])
                == tx.projection_sources([record(7)])
                == set(tx.all_projection_sources())
                == {referral}
            )
            assert tx.shared_among([home, referral]) == {home}
            assert home in tx.all_shared()
            (place,) = tx.projection_entries(row.n).values()
            assert place.fields == {"family_name"}
            cut = tx.projected_rows(channel, [home, referral])
            assert cut.keys() == {home}
            assert {*cut[home].state.fields} == {"family_name"}
            assert dict(tx.digest_terms(channel)) == {home: place.term}
            assert place.term & ((1 << 64) - 1) == digest_term(project_state(row.state, {"family_name"})) & (
                (1 << 64) - 1
            )
        with store.write() as tx:
            assert tx.set_parts(referral, {}) == {home, record(7)}
            tx.update_projections(tx.rows([home]).values())
            assert tx.projection_entries(tx.rows([home])[home].n) == {}
            assert told(tx.page_forward(channel, 0, 10)) == [(home, True)]
        check_digests(store)
