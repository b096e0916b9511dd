"""A copied store becomes a new device: commits that only the copy has are re-issued in the new device's name.

Dots (old, seq) after the last commit that both copies share become (new, 1, 2, …). This is a renaming, so each write's context
stays what it was. One thing must be added: a write of the old device covered that device's earlier ones by its number alone;
the new device's write must name them.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from msgspec import Struct

from fieldsync.core.commit import Commit, group_contexts, state_of
from fieldsync.core.deletion import REGISTERS, SAW
from fieldsync.core.register import Context, Head, Register, Value, build_register, contexts_of
from fieldsync.core.settle import REOPENED
from fieldsync.core.state import State, registers

_ENTRY = re.compile(r"([0-9a-f]{8})-([0-9]+)")
_HEADS = {"heads", REOPENED}


class OldWrites(Struct, frozen=True):
    """The old device's last writes to one record up to the last shared commit: register → (seq, head)."""

    heads: Mapping[str, Head]

    def last_seq(self, name: str) -> int:
        """Return the number of its last write of a register, 0 for none."""
        head = self.heads.get(name)
        return 0 if head is None else head.seq

    @property
    def newest_seq(self) -> int:
        """The number of its last write of the record, 0 for none."""
        return max((head.seq for head in self.heads.values()), default=0)


def collect_old_writes(commits: Iterable[Commit]) -> OldWrites:
    """Collect the last write to each register by a device's shared commits about one record, in order."""
    heads: dict[str, Head] = {}
    for commit in commits:
        for name, register in registers(state_of(commit)).items():
            heads[name] = register.heads[0]
    return OldWrites(heads)


class Renewal:
    """The renaming: `old` device's commits `seqs` (in order, all behind `after`) become the `new` device's 1, 2, … in turn."""

    def __init__(self, old: bytes, after: int, new: bytes, seqs: Sequence[int]) -> None:
        self.old, self.after, self.new = old, after, new
        self._seqs = seqs
        self._part = old.hex()
        self._names = self._part, new.hex()

    def renumber(self, seq: int) -> int:
        """Return the new number of a commit (of an erased one: of the last before it, or 0)."""
        return bisect_right(self._seqs, seq)

    # --- names and values ---

    def rename_register(self, name: str) -> str:
        """Return the register's name: a tally's part and a log's entries bear their device's."""
        field, slash, part = name.partition("/")
        if not slash:
            return name
        if part == self._part:
            return f"{field}/{self.new.hex()}"
        entry = _ENTRY.fullmatch(part)
        if entry and entry[1] == self._part[:8] and int(entry[2]) > self.after:
            return f"{field}/{self.new.hex()[:8]}-{self.renumber(int(entry[2]))}"
        return name

    def is_own(self, name: str) -> bool:
        """Return whether a register is the old or new device's alone: a part of a tally, an entry of a log."""
        part = name.partition("/")[2]
        entry = _ENTRY.fullmatch(part)
        return any(part == one or (entry is not None and entry[1] == one[:8]) for one in self._names)

    def is_tally(self, name: str) -> bool:
        """Return whether a register is the old device's part of a tally."""
        return name.partition("/")[2] == self._part

    def rename_value(self, value: Value, shared: OldWrites) -> Value:
        """Return a value with the dots within it renamed: a deletion's `saw`, a decision's heads."""
        if not isinstance(value, dict):
            return value
        made: dict[str, object] = {}
        for key, part in value.items():
            if key == SAW and isinstance(part, dict):
                made[key] = self._rename_saw(part, shared.newest_seq)
            elif key == REGISTERS and isinstance(part, dict):
                made[key] = self._rename_seen_registers(part, shared)
            elif key in _HEADS and isinstance(part, list):
                made[key] = [self._rename_packed_head(one, shared) for one in part]
            else:
                made[key] = part
        return made

    def _rename_seen_registers(self, told: Mapping[str, object], shared: OldWrites) -> dict[str, object]:
        """Return a deletion's context per register, renamed; a tally's shared part stays the old device's."""
        made: dict[str, object] = {}
        for name, seen in told.items():
            saw = self._rename_saw(seen, shared.last_seq(name))
            if not self.is_tally(name):
                made[self.rename_register(name)] = saw
                continue
            kept = {device: n for device, n in saw.items() if device != self._names[1]}
            if kept:
                made[name] = kept
            if len(kept) < len(saw):
                made[self.rename_register(name)] = {self._names[1]: saw[self._names[1]]}
        return made

    def _rename_saw(self, saw: object, last: int) -> dict[str, object]:
        told = dict(saw) if isinstance(saw, dict) else {}
        seq = told.get(self._part)
        if isinstance(seq, int) and seq > self.after:
            told |= {self._part: last, self.new.hex(): self.renumber(seq)}
        return {device: n for device, n in sorted(told.items()) if n}

    def _rename_packed_head(self, head: object, shared: OldWrites) -> object:
        match head:
            case [str(device), int(seq), stamp, author, value] if device == self._part and seq > self.after:
                return [
                    self.new.hex(),
                    self.renumber(seq),
                    stamp,
                    author,
                    self.rename_value(cast("Value", value), shared),
                ]
            case [device, seq, stamp, author, value]:
                return [device, seq, stamp, author, self.rename_value(cast("Value", value), shared)]
        return head

    # --- commits and states ---

    def rename_commit(self, old: Commit, shared: OldWrites, code: str | None) -> Commit:
        """Return the new device's commit in place of one of the old's; `code` is the record's new one, where it makes it."""
        told = {name: dict(pairs) for names, pairs in old.context for name in names}
        fields: dict[str, Value] = {}
        seen: dict[str, Mapping[bytes, int]] = {}
        note = old.note
        for name, value in old.fields.items():
            renamed, last = self.rename_register(name), shared.last_seq(name)
            if name == "_code" and code is not None and isinstance(value, str):
                note = " ".join(filter(None, (note, f"({value})")))  # it may stand on somebody's card
                fields[name] = code
            elif self.is_tally(name):
                fields[renamed] = self._without_kept_tally(value, shared.heads.get(name))
            else:
                fields[renamed] = self.rename_value(value, shared)
            covered = self._rename_seen(told.get(name, {}), last)
            if self.is_tally(name):
                covered.pop(self.old, None)  # it is another register's
            elif last:
                covered[self.old] = max(last, covered.get(self.old, 0))
            if covered:
                seen[renamed] = covered
        return Commit(
            old.format, self.new, self.renumber(old.seq), old.stamp, old.author, old.type, old.form, old.record, note,
            dict(sorted(fields.items())), group_contexts(seen),
        )  # fmt: skip

    def _without_kept_tally(self, value: Value, before: Head | None) -> Value:
        """Return a tally's part minus the amount kept in the old device's part."""
        start = before.value if before is not None and isinstance(before.value, int) else 0
        return value - start if isinstance(value, int) else value

    def _rename_seen(self, seen: Mapping[bytes, int], last: int) -> dict[bytes, int]:
        made = dict(seen)
        seq = made.get(self.old, 0)
        if seq > self.after:
            del made[self.old]
            if last:
                made[self.old] = last
            if self.renumber(seq):
                made[self.new] = self.renumber(seq)
        return made

    def rename_state(self, state: State, shared: OldWrites, code: str | None) -> State:
        """Return a record's state as the renamed commits make it."""
        base, values = state.base, state.values
        if base is not None and base.device == self.old and base.seq > self.after:
            base = base._replace(device=self.new, seq=self.renumber(base.seq))
            if code is not None and "_code" in values:
                values = values | {"_code": code}
        fields: dict[str, Register] = {}
        for name, register in state.fields.items():
            mine = [head for head in register.heads if head.device == self.old and head.seq > self.after]
            if self.is_tally(name) and not mine:  # all of it is kept
                fields[name] = register
                continue
            if self.is_tally(name):
                before = shared.heads.get(name)
                if before is not None:
                    fields[name] = Register((before,), {self.old: before.seq})
                head = self._rename_head(mine[-1], shared)._replace(
                    value=self._without_kept_tally(mine[-1].value, before)
                )
                fields[self.rename_register(name)] = Register((head,), {self.new: head.seq})
                continue
            last = shared.last_seq(name)
            writes = [
                (self._rename_head(head, shared), self._rename_context(context, last, own=True))
                if head in mine
                else (head, self._rename_context(context, last, own=False))
                for head, context in zip(register.heads, contexts_of(register), strict=True)
            ]
            fields[self.rename_register(name)] = build_register(writes, self._rename_seen(register.seen, last))
        return state._replace(base=base, values=values, fields=fields)

    def _rename_context(self, context: Context | None, last: int, *, own: bool) -> Context | None:
        """Return a head's context renamed; the new device's head names writes that the old one's covered by its number alone."""
        if context is None:
            return None
        made = self._rename_seen(context, last)
        if own:
            made.pop(self.new, None)
            if last:
                made[self.old] = last
        return made

    def _rename_head(self, head: Head, shared: OldWrites) -> Head:
        return head._replace(device=self.new, seq=self.renumber(head.seq), value=self.rename_value(head.value, shared))
