"""What a server checks of codes: each is made of its device's letters and its record's unit, or was kept for it by an event."""

from collections.abc import Iterator
from functools import cached_property

from fieldsync import errors
from fieldsync.authority.value_permissions import ValueChecks
from fieldsync.casework.household_events import EVENT, KEPT
from fieldsync.core import codes
from fieldsync.core.commit import Commit
from fieldsync.core.grants import covers
from fieldsync.core.state import register_of
from fieldsync.store.contract import sibling_key
from fieldsync.topology import device_letters


class CodeChecks(ValueChecks):
    """One device's commits, as far as the codes that they give go."""

    def _check_codes(self, commit: Commit) -> None:
        """Refuse (IllegalValue) a code that is another family's to give.

        Whoever verifies an event makes records with codes that its reporter kept for them: such a code may wait for its event.
        """
        if "_code" not in commit.fields and commit.type != EVENT:
            return
        unit = commit.fields.get("_unit")
        kept = commit.fields.get("new_code") if commit.type == EVENT else None
        if kept is not None and not self._may_give(kept, unit, anywhere="_code" not in commit.fields):
            raise errors.IllegalValue(type=commit.type, field="new_code", reason="system")
        code = commit.fields.get("_code")
        if code is None or self._may_give(code, unit, anywhere=self._by_server) or self._is_kept(commit.record, code):
            return
        if not commit.context and commit.record not in self._known:
            self.waits_for = (sibling_key(commit.record),)
        raise errors.IllegalValue(type=commit.type, field="_code", reason="system")

    def _may_give(self, code: object, unit: object, *, anywhere: bool) -> bool:
        """Say whether a code has letters of this device's, and the unit's name in front unless any unit's may be."""
        parts = codes.parse(code) if isinstance(code, str) else None
        if parts is None:
            return False
        leaf, letters, _ = parts
        placed = codes.leaf(unit) == leaf if isinstance(unit, str) else anywhere
        return placed and (letters == self._device.letters or letters in self._letters)

    @cached_property
    def _letters(self) -> frozenset[str]:
        """The letters of the device's family; of a branch those of its devices too, as it writes again what copied ones wrote."""
        family, grants = self._tx.family(self._device.id), self._device.grants
        known = (
            one.letters
            for one in self._tx.devices()
            if one.id in family or (self._by_server and all(covers(grants, grant.unit) for grant in one.grants))
        )
        return frozenset(letters for letters in (*known, device_letters.given(self._tx, self._device.id)) if letters)

    def _is_kept(self, record: bytes, code: object) -> bool:
        """Say whether an event keeps this code, of those from which this record has the beginning of its id."""
        wanted = codes.split(code) if isinstance(code, str) else None
        for kept in self._kept(record) if wanted is not None else ():
            first = codes.split(kept) if isinstance(kept, str) else None
            if first is not None and wanted is not None and first[0] == wanted[0] and 0 <= wanted[1] - first[1] < KEPT:
                return True
        return False

    def _kept(self, record: bytes) -> Iterator[object]:
        for row in self._tx.rows(self._tx.siblings(record, EVENT)).values():
            yield from (head.value for head in register_of(row.state, "new_code").heads)
        for said in self._said.values():
            yield from (
                one.fields.get("new_code") for one in said if one.type == EVENT and one.record[:6] == record[:6]
            )
