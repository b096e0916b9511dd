"""Random histories for property tests: people who write, decide and exchange in any order; the core alone, no files."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from fieldsync.core import edit_context as rule
from fieldsync.core.commit import FORMAT, Commit, group_contexts, state_of
from fieldsync.core.register import EMPTY
from fieldsync.core.settle import DECIDED, REOPENED, REVIEW, candidate_heads, device_itself, pack_head
from fieldsync.core.state import State, join_states, register_of, registers

DEVICES = tuple(bytes([65 + i]) * 16 for i in range(4))
AUTHORS = ("Amal", "Basim", "Samar", "هدى")
RECORD = b"\x01" * 16
FIELDS = ("city", "name", "size")
MEMBERS = ("food", "shelter", "سكن")
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "محمد", "محمـد", " Mohamed ", "007", "a\0b", "1\n2", "١٢", "12"]),
)


@dataclass
class Writer:
    """One device with its copy of the record."""

    device: bytes
    author: str
    seq: int = 0
    stamp: int = 0
    state: State | None = None
    older: list[State] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)


class World:
    """Four devices and one record. Every write goes through what the program itself uses to cover heads."""

    def __init__(self) -> None:
        self.writers = [Writer(device, author) for device, author in zip(DEVICES, AUTHORS, strict=True)]

    @property
    def commits(self) -> list[Commit]:
        """All commits, device by device."""
        return [commit for writer in self.writers for commit in writer.commits]

    def write(self, who: int, fields: dict[str, Any], seen: dict[str, Any], at: int = 0) -> Commit:
        """Save on one device: log the commit and join what it says."""
        writer = self.writers[who]
        writer.seq += 1
        writer.stamp = max(writer.stamp + 1, at)
        commit = Commit(
            FORMAT, writer.device, writer.seq, writer.stamp, writer.author, "household", 1, RECORD, None,
            dict(sorted(fields.items())), group_contexts(seen),
        )  # fmt: skip
        writer.commits.append(commit)
        self.take(who, state_of(commit))
        return commit

    def make(self, who: int, fields: dict[str, Any], at: int = 0) -> None:
        """Make the record; made on two devices, it has two beginnings."""
        self.write(who, {**fields, "_code": f"JBL-{'ABCD'[who]}-1-00"}, {}, at)

    def edit(self, who: int, names: dict[str, Any], *, decides: bool = False, stale: bool = False, at: int = 0) -> None:
        """Change fields, over what is shown, over everything, or over a form that was filled long ago."""
        writer = self.writers[who]
        state = writer.older[0] if stale and writer.older else writer.state
        seen = {}
        for name in names:
            register = EMPTY if state is None else register_of(state, name)
            if register is not EMPTY:
                me = rule.Editor(
                    writer.device, device_itself, None if state is None or state.base is None else state.base.dot
                )
                covers = register.heads if decides else rule.covered_heads(register, REVIEW, me)
                seen[name] = register.seen if decides else rule.edit_context(register, covers, me)
        self.write(who, names, seen, at)

    def decide(self, who: int, name: str, value: Any, at: int = 0) -> None:
        """Decide a field as `review take` does, with what it was decided over."""
        state = self.writers[who].state
        over = () if state is None else candidate_heads(register_of(state, name))
        told = {"heads": [pack_head(head) for head in over]}
        self.edit(who, {name: value, f"{DECIDED}/{name}": told}, decides=True, at=at)

    def undo(self, who: int, name: str, at: int = 0) -> None:
        """Take a decision back, where there is one."""
        state = self.writers[who].state
        heads = () if state is None else register_of(state, f"{DECIDED}/{name}").heads
        if len(heads) == 1 and isinstance(heads[0].value, dict):
            again = heads[0].value["heads"]
            self.edit(who, {name: {REOPENED: again}, f"{DECIDED}/{name}": None}, decides=True, at=at)

    def take(self, who: int, state: State) -> None:
        """Join a state that came from anywhere."""
        writer = self.writers[who]
        if writer.state is not None:
            writer.older.append(writer.state)
        writer.state = state if writer.state is None else join_states(writer.state, state)[0]

    def carry(self, source: int, target: int, *, part: int | None = None) -> None:
        """Send a device's whole state to another, or some of its registers without the base."""
        state = self.writers[source].state
        if state is None:
            return
        if part is not None:
            fields = {name: r for i, (name, r) in enumerate(sorted(state.fields.items())) if part >> (i % 8) & 1}
            state = State(state.record, state.type, None, {}, fields)
        self.take(target, state)


_who = st.integers(0, 3)
_at = st.integers(0, 40)
_new = st.dictionaries(st.sampled_from(FIELDS), VALUES.filter(lambda v: v is not None), max_size=3)
# a laptop makes a record with its sets as lists; another program may write their members out, or a list where none belongs
_odd = st.dictionaries(st.sampled_from([f"needs/{m}" for m in MEMBERS] + ["name/x"]), st.booleans(), max_size=2)
_list = st.lists(st.sampled_from(MEMBERS), unique=True, max_size=2)
_members = st.lists(st.sampled_from(MEMBERS), unique=True, min_size=1, max_size=3)
_changes = st.dictionaries(
    st.sampled_from([*FIELDS, "needs", *(f"needs/{m}" for m in MEMBERS)]), VALUES | _list, min_size=1, max_size=3,
).map(lambda d: {name: bool(value) if "/" in name else value for name, value in d.items()})  # fmt: skip

STEP = st.one_of(
    st.tuples(st.just("make"), _who, _new, st.none() | _members, st.just({}) | _odd, _at),
    st.tuples(st.just("edit"), _who, _changes, st.booleans(), st.booleans(), _at),
    st.tuples(st.just("edit"), _who, _changes, st.booleans(), st.booleans(), _at),
    st.tuples(st.just("decide"), _who, st.sampled_from(FIELDS), VALUES, _at),
    st.tuples(st.just("undo"), _who, st.sampled_from(FIELDS), _at),
    st.tuples(st.just("carry"), _who, _who, st.none() | st.integers(0, 255)),
    st.tuples(st.just("commit"), _who, st.integers(0, 50)),
)


def live(steps: list[Any]) -> World:
    """Return the world that these steps make."""
    world = World()
    for step in steps:
        match step:
            case ("make", who, fields, members, odd, at):
                if not any("_code" in c.fields for c in world.writers[who].commits):
                    world.make(who, fields | ({"needs": members} if members else {}) | odd, at)
            case ("edit", who, changes, decides, stale, at):
                world.edit(who, changes, decides=decides, stale=stale, at=at)
            case ("decide", who, name, value, at):
                world.decide(who, name, value, at)
            case ("undo", who, name, at):
                world.undo(who, name, at)
            case ("carry", source, target, part):
                world.carry(source, target, part=part)
            case ("commit", who, which):
                everything = world.commits
                if everything:
                    world.take(who, state_of(everything[which % len(everything)]))
    return world


WORLDS = st.lists(STEP, min_size=1, max_size=25).map(live)


def expanded(state: State) -> dict[str, Any]:
    """Return all registers of a state by name."""
    return registers(state)
