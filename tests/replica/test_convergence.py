"""Three laptops and a headquarters through anything: cuts, repeats, lost answers, closed stores; at the end all are equal.

No socket here, but everything else is real: encrypted stores in files, signed and chained commits, the sessions' own code.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fieldsync import errors
from fieldsync.core.commit import decode_commit, state_of
from fieldsync.core.state import State, canonical_bytes, digest_term, join_states
from fieldsync.protocol.channel_delta import visible_channels
from fieldsync.replica import commit_writer, save, transfer
from fieldsync.replica.apply import device_facts, settle_row
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import decisions
from fieldsync.store.contract import Row
from tests import directly
from tests.cast import JBL, QRD, Clock, copy_cast, found_cast, open_node, rows
from tests.scale import SCALE

_64 = (1 << 64) - 1
LAPTOPS = ("amal", "basim", "samar")
_who = st.sampled_from(LAPTOPS)
_which = st.integers(0, 9)
_texts = st.sampled_from(["جبلة", "اللاذقية", " جبلة", "Tartus", "طرطوس", "12", "١٢"])
_days = st.sampled_from(["2010-01-01", "2011-05-05", "2015-01-31"])  # no clock stands before them
_plain = st.one_of(
    st.fixed_dictionaries({}, optional={
        "family_name": _texts.filter(lambda t: not any(map(str.isdigit, t))), "location": _texts, "address": _texts, "registered_on": _days,
        "last_verified_on": _days, "size_stated": st.integers(1, 9), "housing": st.sampled_from(["tent", "rented"]),
    }),
)  # fmt: skip
_groups = st.lists(st.sampled_from(["orphan", "older", "youth", "disability"]), unique=True, max_size=2)
_template: list[Path] = []


def template() -> Path:
    """Return a cast to copy, made once."""
    if not _template:
        _template.append(Path(tempfile.mkdtemp(prefix="fieldsync-cast-")))
        found_cast(_template[0])
    return _template[0]


@pytest.fixture(scope="module", autouse=True)
def _tidy() -> Any:
    yield
    while _template:
        shutil.rmtree(_template.pop())


class Field(RuleBasedStateMachine):
    """A headquarters and three laptops ; what was saved on each, and `overstepped`, whether a server kept anything of it aside."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="fieldsync-"))
        copy_cast(template(), self.home)
        self.clocks = {name: Clock() for name in ("hq", *LAPTOPS)}
        self.nodes = {name: open_node(self.home / name, self.clocks[name]) for name in ("hq", *LAPTOPS)}
        self.saved: dict[bytes, list[bytes]] = {self.nodes[name].device: [] for name in LAPTOPS}

    @property
    def hq(self) -> Node:
        """The headquarters' node."""
        return self.nodes["hq"]

    def _note(self, name: str) -> None:
        """Remember what this laptop has acknowledged to its person: the hash of every commit."""
        node = self.nodes[name]
        with node.store.read() as tx:
            known = self.saved[node.device]
            known += [logged.hash for logged in tx.commits_behind(node.device, len(known))]
        self.clocks[name].tick()

    def _row(self, name: str, which: int, type: str = "household") -> Row | None:
        found = sorted(
            (row for row in rows(self.nodes[name]).values() if row.state.type == type), key=lambda row: row.code or ""
        )
        return found[which % len(found)] if found else None

    def _edit(self, who: str, which: int, changes: Changes, type: str = "household") -> None:
        row = self._row(who, which, type)
        if row is not None:
            self._try(who, lambda: save.edit_record(self.nodes[who], row.state.record.hex(), changes))

    def _try(self, who: str, action: Any) -> None:
        try:
            action()
        except (errors.BadInput, errors.NotFound, errors.UnitRefused, errors.RoleRefused, errors.MustDecide):
            pass  # a refusal changes nothing, which the invariants check
        self._note(who)

    @invariant()
    def stores_are_sound(self) -> None:
        """Documents, conflicts, terms and digests are what the registers say, on every node, at any time."""
        for node in self.nodes.values():
            check_store(node)

    def teardown(self) -> None:
        """Everybody syncs to the end; then all hold the same, and everything that was ever saved."""
        try:
            self._end()
        finally:
            for node in self.nodes.values():
                node.close()
            shutil.rmtree(self.home)

    def _end(self) -> None:
        healed = [directly.sync(self.nodes[name], self.hq).healed for _ in range(2) for name in LAPTOPS]
        if not self.overstepped:
            assert not any(healed)  # nothing may need healing that nobody broke
        for name in LAPTOPS:
            assert directly.differing(self.nodes[name], self.hq) == []
            check_store(self.nodes[name])
        check_store(self.hq)
        held = rows(self.hq)
        with self.hq.store.read() as tx:
            for device, hashes in self.saved.items():
                assert [logged.hash for logged in tx.commits_behind(device, 0)] == hashes
            units = {channel.n: channel.unit for channel in tx.channels()}
            sees = {name: {c.unit for c in visible_channels(tx, self.nodes[name].grants)} for name in LAPTOPS}
        for name in LAPTOPS:
            mine = rows(self.nodes[name])
            theirs = {record: row for record, row in held.items() if sees[name] & {units[n] for n in row.channels}}
            assert mine.keys() == theirs.keys()
            for record, row in mine.items():
                other = theirs[record]
                assert canonical_bytes(row.state) == canonical_bytes(other.state)
                assert (row.doc, row.code) == (other.doc, other.code)
                assert row.conflicts.keys() == other.conflicts.keys()
        refold(self.hq, held)


class Office(Field):
    """What people do in the field, and what the line does to them."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, list[State]] = {name: [] for name in LAPTOPS}
        self.overstepped = False
        self.groups: list[str] = [
            choice.code for choice in self.nodes["hq"].schema.type("household").field("groups").choices
        ]

    # --- people work ---

    @initialize(who=_who, changes=_plain)
    def first(self, who: str, changes: dict[str, object]) -> None:
        """There is one family from the beginning, and everybody has it."""
        save.add_record(self.nodes[who], "household", Changes(set=changes), unit=JBL)
        self._note(who)
        for name in (who, *LAPTOPS):
            directly.sync(self.nodes[name], self.hq)

    @rule(who=_who, changes=_plain, groups=_groups)
    def add(self, who: str, changes: dict[str, object], groups: list[str]) -> None:
        """A family is registered."""
        put = {"groups": [group for group in groups if group in self.groups]}
        save.add_record(self.nodes[who], "household", Changes(set=changes, put=put), unit=JBL)
        self._note(who)

    @rule(who=_who, which=_which, state=st.booleans())
    def add_case(self, who: str, which: int, state: bool) -> None:
        """A person of a family, or a person's case."""
        family, person = self._row(who, which), self._row(who, which, "person")
        try:
            if person is not None and state:
                save.add_record(self.nodes[who], "case", Changes(set={"person": person.state.record.hex()}))
            elif family is not None:
                save.add_record(self.nodes[who], "person", Changes(set={"household": family.state.record.hex()}))
        except errors.UnitRefused:
            return  # the family has moved to a unit of others
        except errors.IllegalValue as refused:
            if refused.facts["reason"] != "was_removed":
                raise
            return  # nothing is added to what is known here to be removed
        self._note(who)

    @rule(who=_who, which=_which, changes=_plain, unset=st.sampled_from([(), ("address",), ("location",)]))
    def edit(self, who: str, which: int, changes: dict[str, object], unset: tuple[str, ...]) -> None:
        """Some fields are changed or emptied."""
        self._edit(who, which, Changes(set={n: v for n, v in changes.items() if n not in unset}, unset=unset))

    @rule(who=_who, which=_which, place=_texts)
    def correct(self, who: str, which: int, place: str) -> None:
        """The field that everybody changes."""
        self._edit(who, which, Changes(set={"location": place}))

    @rule(who=_who, which=_which, put=_groups, drop=_groups)
    def choose(self, who: str, which: int, put: list[str], drop: list[str]) -> None:
        """Members of a set come and go."""
        some, others = ([g for g in chosen if g in self.groups] for chosen in (put, drop))
        self._edit(who, which, Changes(put={"groups": some}, drop={"groups": [g for g in others if g not in some]}))

    @rule(who=_who, which=_which, step=st.sampled_from(["draft", "registered", "verified", "dissolved", "inactive"]))
    def proceed(self, who: str, which: int, step: str) -> None:
        """A lifecycle step, where it is allowed."""
        self._edit(who, which, Changes(set={"state": step}))

    @rule(who=_who, which=_which, count=st.integers(-1, 3), text=st.sampled_from(["", "زيارة", "note"]))
    def visit(self, who: str, which: int, count: int, text: str) -> None:
        """A case is counted and written about."""
        say = {"notes": text} if text else {}
        self._edit(who, which, Changes(count={"reopen_count": count}, say=say), type="case")

    @rule(who=_who, which=_which)
    def keep_form(self, who: str, which: int) -> None:
        """A form is opened and left open."""
        row = self._row(who, which)
        if row is not None:
            self.forms[who].append(row.state)

    @rule(who=_who, place=_texts, changes=_plain)
    def send_old_form(self, who: str, place: str, changes: dict[str, object]) -> None:
        """A form that was filled long ago is saved."""
        if self.forms[who]:
            based_on = self.forms[who].pop(0)
            node = self.nodes[who]
            if based_on.record in rows(node):
                self._try(who, lambda: save.edit_record(
                    node, based_on.record.hex(), Changes(set={**changes, "location": place}), based_on=based_on))  # fmt: skip

    @rule(who=_who, which=_which)
    def remove(self, who: str, which: int) -> None:
        """A record is deleted, with a reason."""
        row = self._row(who, which)
        if row is not None and which < 2:
            self._try(who, lambda: save.remove_record(self.nodes[who], row.state.record.hex(), "twice"))

    @rule(who=_who, which=_which, there=st.booleans())
    def move(self, who: str, which: int, there: bool) -> None:
        """A family moves to the other unit, with all that belongs to it."""
        row = self._row(who, which)
        node = self.nodes[who]
        if row is None or which > 3:
            return
        self._try(who, lambda: transfer.transfer_record(node, row.state.record.hex(), QRD if there else JBL))

    @rule(which=_which, head=_which, note=st.none() | st.just("زيارة"))
    def take(self, which: int, head: int, note: str | None) -> None:
        """Samar decides a conflict for one of its heads."""
        items = decisions.list_conflicts(self.nodes["samar"])
        if items:
            item = items[which % len(items)]
            chosen = item.heads[head % len(item.heads)]
            self._try("samar", lambda: decisions.decide_conflict(
                self.nodes["samar"], item.record, item.field, head=chosen.name, note=note))  # fmt: skip

    @rule(which=_which, place=_texts)
    def take_another(self, which: int, place: str) -> None:
        """Samar decides for a value of her own."""
        items = [
            item for item in decisions.list_conflicts(self.nodes["samar"]) if item.field in {"location", "address"}
        ]
        if items:
            item = items[which % len(items)]
            self._try(
                "samar", lambda: decisions.decide_conflict(self.nodes["samar"], item.record, item.field, value=place)
            )

    @rule(which=_which, field=st.sampled_from(["location", "family_name", "housing", "_deleted", "_unit"]))
    def undo(self, which: int, field: str) -> None:
        """Samar takes a decision back."""
        row = self._row("samar", which)
        if row is not None:
            self._try("samar", lambda: decisions.undo_decision(self.nodes["samar"], row.state.record.hex(), field))

    @rule(which=_which, place=_texts)
    def overstep(self, which: int, place: str) -> None:
        """Basim's laptop has been tampered with: it decides what he may not."""
        node = self.nodes["basim"]
        row = self._row("basim", which)
        if row is not None and "location" in row.conflicts:
            with node.store.write() as tx:
                kind = node.schema.type("household")
                commit_writer.commit_drafts(
                    node, tx, [save.draft_edit(node, row, kind, {"location": place.strip()}, decides=True)]
                )
            self.overstepped = True
            self._note("basim")

    # --- the line ---

    @rule(who=_who)
    def sync(self, who: str) -> None:
        """A laptop syncs."""
        directly.sync(self.nodes[who], self.hq)

    @rule(who=_who, cut=st.integers(0, 6))
    def sync_cut(self, who: str, cut: int) -> None:
        """The line is cut after some frames, up or down; what was acknowledged to people stays."""
        try:
            directly.sync(self.nodes[who], self.hq, cut=cut)
        except errors.CutOff:
            pass

    @rule(who=_who, again=st.integers(2, 4))
    def sync_repeated(self, who: str, again: int) -> None:
        """Every frame arrives more than once."""
        directly.sync(self.nodes[who], self.hq, again=again)

    @rule(who=st.sampled_from(["hq", *LAPTOPS]))
    def reopen(self, who: str) -> None:
        """A store is closed and opened again."""
        self.nodes[who].close()
        self.nodes[who] = open_node(self.home / who, self.clocks[who])

    @rule(who=_who, milliseconds=st.sampled_from([-3 * 365 * 86_400_000, 3_600_000, 10 * 365 * 86_400_000]))
    def set_clock(self, who: str, milliseconds: int) -> None:
        """A laptop's clock jumps."""
        self.clocks[who].tick(milliseconds)

    # --- what must always hold ---


def refold(hq: Node, held: dict[bytes, Row]) -> None:
    """The commits that a server keeps, joined from nothing, are the registers that it holds."""
    folded: dict[bytes, State] = {}
    with hq.store.read() as tx:
        for device in tx.devices():
            refused = {seq for seq, _, _ in tx.refusals(device.id)}
            for logged in tx.commits_behind(device.id, 0):
                assert logged.body is not None
                if logged.seq not in refused:
                    said = state_of(decode_commit(logged.body))
                    folded[logged.record] = (
                        join_states(folded[logged.record], said)[0] if logged.record in folded else said
                    )
    assert {record: canonical_bytes(state) for record, state in folded.items()} == {
        r: canonical_bytes(row.state) for r, row in held.items()
    }


def check_store(node: Node) -> None:
    """What a store has derived is what it would derive anew."""
    with node.store.read() as tx:
        sums: dict[int, int] = {}
        counts: dict[int, int] = {}
        for row in tx.select_rows():
            assert row.old_term & _64 == digest_term(row.state)
            assert row.channel is not None
            for n in row.channels:
                sums[n] = sums.get(n, 0) + row.old_term
                counts[n] = counts.get(n, 0) + 1
            anew = Row(row.n, row.state, {}, row.arrivals)
            settle_row(anew, node.rules.type_rules(row.state.type), None, device_facts(tx))
            assert (row.doc, row.code, set(row.conflicts)) == (anew.doc, anew.code, set(anew.conflicts))
        for channel in tx.channels():
            assert (channel.digest, channel.records) == (sums.get(channel.n, 0) & _64, counts.get(channel.n, 0))
            entries = tx.page_forward(channel.n, 0, 10_000)
            assert len({entry.arrival for entry in entries}) == len(entries)
            assert all(entry.arrival <= channel.arrival for entry in entries)
            inside = {row.state.record for row in tx.select_rows() if channel.n in row.channels}
            assert {e.row.state.record for e in entries if e.row is not None and not e.gone} == inside
            assert {record for record, _ in tx.digest_terms(channel.n)} == inside


Office.TestCase.settings = settings(
    max_examples=25 * SCALE, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck),
)  # fmt: skip
TestConvergence = Office.TestCase
