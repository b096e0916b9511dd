"""Two offices that move families, to two places at once as well, while grants are given and withdrawn: all end up equal.

The same cast, sessions and checks as in test_convergence.py; here people do little else than move, add, decide and sync.
"""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from fieldsync import errors
from fieldsync.core.grants import covering_grant
from fieldsync.replica import save, transfer
from fieldsync.replica.changes import Changes
from fieldsync.review import decisions
from fieldsync.review.conflict_filter import ConflictFilter
from fieldsync.server import administration
from tests import directly
from tests.cast import JBL, QRD, open_node, rows
from tests.replica.test_convergence import LAPTOPS, Field, _tidy
from tests.scale import SCALE

TRT = "LAT/TRT"
UNITS = (JBL, QRD, TRT)
__all__ = ["_tidy"]
_who = st.sampled_from(LAPTOPS)
_which = st.integers(0, 3)
_unit = st.sampled_from(UNITS)


class TwoOffices(Field):
    """Amal and Basim work in units that headquarters gives and takes; Samar supervises all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.granted = False
        self.refused: set[str] = set()
        with self.hq.store.write() as tx:
            tx.channel_number(TRT)

    @property
    def overstepped(self) -> bool:
        """Whether anything was refused."""
        return bool(self.refused)

    def _end(self) -> None:
        for name in LAPTOPS:
            self.sync(name)
        super()._end()

    def _home(self, who: str, unit: str) -> str:
        grants = self.nodes[who].grants
        return unit if covering_grant(grants, unit) is not None else grants[0].unit

    # --- people work ---

    @initialize()
    def first(self) -> None:
        """There is one family in Jableh from the beginning, of three records, and everybody has it."""
        family = save.add_record(self.nodes["amal"], "household", Changes(), unit=JBL)
        person = save.add_record(self.nodes["amal"], "person", Changes(set={"household": family.hex()}))
        save.add_record(self.nodes["amal"], "case", Changes(set={"person": person.hex()}))
        self._note("amal")
        for name in LAPTOPS:
            directly.sync(self.nodes[name], self.hq)

    @rule(who=_who, unit=_unit)
    def add(self, who: str, unit: str) -> None:
        """A family is registered."""
        save.add_record(self.nodes[who], "household", Changes(), unit=self._home(who, unit))
        self._note(who)

    @rule(who=_who, which=_which, case=st.booleans())
    def add_below(self, who: str, which: int, case: bool) -> None:
        """A person is added to a family, or a case to a person."""
        owner = self._row(who, which, "person" if case else "household")
        if owner is not None:
            type_, field = ("case", "person") if case else ("person", "household")
            self._try(
                who, lambda: save.add_record(self.nodes[who], type_, Changes(set={field: owner.state.record.hex()}))
            )

    @rule(who=_who, which=_which, type=st.sampled_from(["household", "person"]))
    def edit(self, who: str, which: int, type: str) -> None:
        """Something is changed."""
        clock = self.clocks[who].now
        changed = {"location": f"place {clock}"} if type == "household" else {"occupation": f"work {clock}"}
        self._edit(who, which, Changes(set=changed), type)

    @rule(who=_who, which=_which, unit=_unit)
    def move(self, who: str, which: int, unit: str) -> None:
        """A family moves, perhaps to where its mover does not work."""
        row = self._row(who, which)
        if row is not None:
            self._try(who, lambda: transfer.transfer_record(self.nodes[who], row.state.record.hex(), unit))

    @rule(one=_unit, other=_unit, which=_which)
    def move_apart(self, one: str, other: str, which: int) -> None:
        """Two move the same family to two places, neither knowing of the other, and both sync."""
        row = self._row("amal", which)
        if row is not None and row.state.record in rows(self.nodes["basim"]):
            for who, unit in (("amal", one), ("basim", other)):
                self._try(
                    who,
                    lambda who=who, unit=unit: transfer.transfer_record(self.nodes[who], row.state.record.hex(), unit),
                )
                self.sync(who)

    @rule(who=_who, which=_which, head=_which)
    def take(self, who: str, which: int, head: int) -> None:
        """Somebody who may decides where a family lives."""
        items = decisions.list_conflicts(self.nodes[who], ConflictFilter(field="_unit"))
        if items:
            item = items[which % len(items)]
            chosen = item.heads[head % len(item.heads)]
            name = chosen.name
            self._try(who, lambda: decisions.decide_conflict(self.nodes[who], item.record, "_unit", head=name))

    @rule(who=_who, which=_which)
    def undo(self, who: str, which: int) -> None:
        """A decision is taken back."""
        row = self._row(who, which)
        if row is not None:
            self._try(who, lambda: decisions.undo_decision(self.nodes[who], row.state.record.hex(), "_unit"))

    @rule(
        who=st.sampled_from(["amal", "basim"]),
        role=st.sampled_from(["caseworker", "supervisor"]),
        units=st.lists(_unit, unique=True, min_size=1, max_size=2),
    )
    def grant(self, who: str, role: str, units: list[str]) -> None:
        """Headquarters changes where somebody works, who hears of it at the next sync."""
        self.granted = True
        administration.set_grants(self.hq, self.nodes[who].letters, role, units)

    # --- the line ---

    @rule(who=_who)
    def sync(self, who: str) -> None:
        """A laptop syncs; nothing is refused to people whose grants never changed."""
        self._take(who, directly.sync(self.nodes[who], self.hq))

    @rule(who=_who, again=st.integers(2, 3))
    def sync_repeated(self, who: str, again: int) -> None:
        """Every frame arrives more than once."""
        self._take(who, directly.sync(self.nodes[who], self.hq, again=again))

    def _take(self, who: str, told: Any) -> None:
        assert self.granted or not told.refused
        if told.refused:
            self.refused.add(who)  # what the laptop has and the server refused, a digest finds
        assert who in self.refused or not told.healed

    @rule(who=_who, cut=st.integers(0, 6))
    def sync_cut(self, who: str, cut: int) -> None:
        """The line is cut after some frames, up or down."""
        try:
            self._take(who, directly.sync(self.nodes[who], self.hq, cut=cut))
        except errors.CutOff:
            if self.granted:
                self.refused.add(who)  # a refusal may have been told before the cut

    @rule(who=st.sampled_from(["hq", *LAPTOPS]))
    def reopen(self, who: str) -> None:
        """A store is closed and opened again."""
        self.nodes[who].close()
        self.nodes[who] = open_node(self.home / who, self.clocks[who])


def test_two_offices_agree() -> None:
    """Laptops of two offices above each other sync with either, in any order."""
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        TwoOffices,
        settings=settings(
            max_examples=10 * SCALE, stateful_step_count=35, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
