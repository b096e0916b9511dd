"""Server checks of record codes: a code has its device's letters and its record's unit, or was reserved for the record."""

from collections.abc import Iterator
from functools import cached_property

from fieldsync import errors
from fieldsync.authority.value_permissions import ValueChecks, possible_values
from fieldsync.core import codes
from fieldsync.core.commit import Commit
from fieldsync.core.grants import covering_grant
from fieldsync.core.settle import DECIDED
from fieldsync.core.state import register_of
from fieldsync.replica.extensions import registered_extensions
from fieldsync.store.contract import commit_key, sibling_key
from fieldsync.topology import device_letters, forked_devices


class CodeChecks(ValueChecks):
    """Checks of the record codes in one device's commits."""

    def _check_codes(self, commit: Commit) -> None:
        """Refuse (IllegalValue) a code that is another family's to give.

        A code that another record reserved for this one may wait for that record.
        """
        reserved = registered_extensions().reserved_codes.get(commit.type)
        if "_code" not in commit.fields and reserved is None:
            return
        unit = commit.fields.get("_unit")
        first = commit.fields.get(reserved.field) if reserved is not None else None
        if reserved is not None and first is not None:
            self._check_first_reserved(commit, reserved.field, first, unit)
        code = commit.fields.get("_code")
        if (
            code is None
            or self._may_give(code, unit, anywhere=self._by_server)
            or self._is_reserved(commit.record, code)
            or self._is_decided(commit)
        ):
            return
        if not commit.context and commit.record not in self.known:
            self.waits_for = (sibling_key(commit.record),)
        elif f"{DECIDED}/_code" in commit.fields:  # what gave the record one of them may be on its way
            named = next((pairs for names, pairs in commit.context if "_code" in names), ())
            self.waits_for = tuple(commit_key(device, seq) for device, seq in named if seq > self.tx.log_head(device))
        raise errors.IllegalValue(type=commit.type, field="_code", reason="system")

    def _check_first_reserved(self, commit: Commit, field: str, first: object, unit: object) -> None:
        if not self._may_give(first, unit, anywhere="_code" not in commit.fields):
            raise errors.IllegalValue(type=commit.type, field=field, reason="system")

    def _may_give(self, code: object, unit: object, *, anywhere: bool) -> bool:
        """Return whether a code has letters of this device's, and the unit's name in front unless any unit's may be."""
        parts = codes.parse_code(code) if isinstance(code, str) else None
        if parts is None:
            return False
        leaf, letters, _ = parts
        placed = codes.unit_leaf(unit) == leaf if isinstance(unit, str) else anywhere
        return placed and (letters == self.device.letters or self._has_letters(letters))

    @cached_property
    def _copies(self) -> set[bytes]:
        return self.tx.device_family(self.device.id)

    def _has_letters(self, letters: str) -> bool:
        """Whether letters are of the device's family; of a branch also of its devices, as it writes again what copied ones wrote."""
        grants = self.device.grants
        return letters == device_letters.first_letters(self.tx, self.device.id) or any(
            one.id in self._copies
            or (self._by_server and all(covering_grant(grants, grant.unit) for grant in one.grants))
            for one in self.tx.devices_lettered(letters)
        )

    def _is_decided(self, commit: Commit) -> bool:
        """Return whether a decision chooses among codes that the record was given: copies of a laptop may give it two."""
        if f"{DECIDED}/_code" not in commit.fields:
            return False
        unseen = [
            value
            for value in possible_values(commit.fields["_code"])
            if not self._conflicts.had_seen(commit, "_code", value)
        ]
        return not unseen or forked_devices.repeated_codes(self.tx, commit.record).issuperset(map(str, unseen))

    def _is_reserved(self, record: bytes, code: object) -> bool:
        """Return whether a record reserves this code, of those from which this one has the beginning of its id."""
        wanted = codes.split_code(code) if isinstance(code, str) else None
        if wanted is None:
            return False
        for type_, reserved in registered_extensions().reserved_codes.items():
            firsts = (
                codes.split_code(one)
                for one in self._reserved_codes(record, type_, reserved.field)
                if isinstance(one, str)
            )
            if any(one and one[0] == wanted[0] and 0 <= wanted[1] - one[1] < reserved.most for one in firsts):
                return True
        return False

    def _reserved_codes(self, record: bytes, type_: str, field: str) -> Iterator[object]:
        for row in self.tx.rows(self.tx.sibling_ids(record, type_)).values():
            yield from (head.value for head in register_of(row.state, field).heads)
        for said in self.said.values():
            yield from (one.fields.get(field) for one in said if one.type == type_ and one.record[:6] == record[:6])
