"""The commits of one device that a server judges together, with the records as these commits change them."""

from collections.abc import Callable
from functools import cache

from fieldsync.core.commit import Commit, state_of
from fieldsync.core.grants import PARTNER, may_see_channel
from fieldsync.core.state import join_states
from fieldsync.core.units import home_unit
from fieldsync.replica.apply import settle_row
from fieldsync.replica.merge_rules import Rules
from fieldsync.replica.placement import owner_of
from fieldsync.store import ReadTx
from fieldsync.store.contract import Device, Row, WaitKey


class CommitBatch:
    """A batch of one device's commits."""

    def __init__(self, tx: ReadTx, rules: Rules, device: Device, known: dict[bytes, Row]) -> None:
        self.tx = tx
        self.rules = rules
        self.known = known
        self.judge_as(device)
        self.units: Callable[[int], str] = cache(lambda n: home_unit(tx.channel(n).unit))
        self.said: dict[
            bytes, list[Commit]
        ] = {}  # by record, what the batch says of it and the store does not have yet
        self.waits_for: tuple[WaitKey, ...] = ()  # what may change the last objection: see WaitKey
        self.missing: list[bytes] = []  # records that were looked for and are not here

    def judge_as(self, device: Device) -> None:
        """Select the device's present or past permissions for judging commits."""
        self.device = device
        self.is_partner = any(grant.role == PARTNER for grant in device.grants)

    def row_with_batch(self, record: bytes | None) -> Row | None:
        """Return a record with the batch's changes; a missing one is noted in `missing`."""
        if record is None:
            return None
        said = self.said.get(record)
        row = self.known.get(record) or self.tx.row(record)
        if row is not None and not self._is_visible(row):
            row = None  # another unit's consent says as much as none
        if row is None and said is None:
            self.missing.append(record)
        return row if said is None else self._settle_with(row, said)

    def row_after(self, record: bytes, commit: Commit) -> Row:
        """Return a record as it will be with a further commit."""
        return self._settle_with(self.known.get(record), [*self.said.get(record, ()), commit])

    def _is_visible(self, row: Row) -> bool:
        """Return whether a record is, or was, in a channel that the device may see."""
        channels = {*row.channels, *self.tx.channels_left(row.n)}
        return any(may_see_channel(self.device.grants, self.tx.channel(n).unit) for n in channels)

    def _settle_with(self, row: Row | None, commits: list[Commit]) -> Row:
        state = row.state if row is not None else None
        for one in commits:
            state = state_of(one) if state is None else join_states(state, state_of(one))[0]
        assert state is not None
        settled = Row(0, state, {}, {})
        settle_row(settled, self.rules.type_rules(state.type), None)
        settled.owner = owner_of(settled, self.rules)
        return settled
