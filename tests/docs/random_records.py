"""Random histories of one record, for readers in other languages: edits, decisions and their undoing, removals, by four devices."""

import random

from fieldsync import errors
from fieldsync.core import commit as commits
from fieldsync.core.commit import Commit, group_contexts, state_of
from fieldsync.core.deletion import deletion_value
from fieldsync.core.register import Value
from fieldsync.core.settle import pack_head
from fieldsync.core.state import State, join_states, register_of
from tests.core.frozen_settle import AMAL, BASIM, MADE, OTHER, PEOPLE, RECORD, Case

PLAIN: dict[str, tuple[Value, ...]] = {
    "state": ("planned", "made", "dropped", "checked", "closed", "lost", None),
    "name": ("أ", " أ", "أـ", "ب", None, 1, 1.0, True, ["x"], {"a": "x"}, {"a": "x "}, []),
    "colour": ("red", "blue", "red ", True, 1, None), "place": ("x", "y", "x ", None, "٣", "3"), "born": ("2020-01-01", "2020-01-02", None),
    "last": ("2026-02-01", "2026-01-01", None), "first": ("2026-02-01", "2026-01-01", ["x"], None), "level": ("low", "middle", "high", "extreme", None),
    "weight": (1, 2.0, 2, 3.5, "10", None, True, -1, 1 << 52), "stage": ("a", "b", "c", "z", None), "unheard": ("x", "y", 1, None),
    "_unit": ("LAT/JBL", "HOM"), "_same_as": (OTHER, None),
}  # fmt: skip
MEMBERS = ("needs/food", "needs/cash", "needs/zz", "other/p", f"_not_same/{OTHER}", "_shared/LAT")
DEVICES = tuple(PEOPLE)


class _History:
    """A record as each device has it, and the commits so far."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.commits: list[Commit] = []
        self.states: dict[bytes, State] = {}
        self.seqs = dict.fromkeys(DEVICES, 0)
        self.focus = self.chance.sample(list(PLAIN), 3)
        self.now = 100

    def save(self, device: bytes, fields: dict[str, Value]) -> None:
        """Have a device commit; what it has of a field is what the commit has seen, most times."""
        self.seqs[device] += self.chance.choice((1, 1, 1, 2))
        if device == BASIM and self.chance.random() < 0.1:
            self.seqs[device] = max(self.seqs[device], 90)  # where his clock was off
        self.now += self.chance.randint(0, 3)
        state = self.states.get(device)
        known = {
            name: dict(register_of(state, name).seen) if state is not None and self.chance.random() < 0.85 else {}
            for name in fields
        }
        context = group_contexts({name: {one: n for one, n in seen.items() if one != device or n < self.seqs[device]} for name, seen in known.items()})  # fmt: skip
        author = self.chance.choice((PEOPLE[device],) * 9 + ("Samar",))
        made = Commit(1, device, self.seqs[device], self.now, author, "visit", 1, RECORD, None, dict(sorted(fields.items())), context)  # fmt: skip
        self.commits.append(made)
        self.take(device, state_of(made))

    def take(self, device: bytes, state: State) -> None:
        """Have a device join a state."""
        mine = self.states.get(device)
        self.states[device] = state if mine is None else join_states(mine, state)[0]

    def begin(self) -> None:
        """Have the record made, with a set as a list."""
        fields = {name: self.chance.choice(PLAIN[name]) for name in self.focus if not name.startswith("_")}
        fields = {name: value for name, value in fields.items() if not isinstance(value, list)}
        needs: Value = self.chance.sample(["food", "cash", "zz"], self.chance.randint(0, 3))
        self.save(AMAL, MADE | fields | {"needs": needs})

    def step(self) -> None:
        """Have a device do something."""
        device, other = self.chance.choice(DEVICES), self.chance.choice(DEVICES)
        if other in self.states and self.chance.random() < 0.4:
            self.take(device, self.states[other])
        match self.chance.choices(("edit", "member", "part", "entry", "removal", "decision", "undo"), (11, 4, 1, 2, 1, 1, 1))[0]:  # fmt: skip
            case "edit":
                self.save(device, {name: self.chance.choice(PLAIN[name]) for name in self.chance.sample(self.focus, self.chance.randint(1, 2))})  # fmt: skip
            case "member":
                self.save(device, {self.chance.choice(MEMBERS): self.chance.choice((True, False, None))})
            case "part":
                self.save(device, {f"meals/{device.hex()}": self.chance.choice((1, 5, -2, None))})
            case "entry":
                entries = [name for one in self.commits for name in one.fields if name.startswith("notes/")]
                name = self.chance.choice([*entries, f"notes/{device.hex()[:8]}-{self.seqs[device] + 1}"])
                self.save(device, {name: self.chance.choice(("n", "m", None))})
            case what if device in self.states:
                self.decide(device, what, self.states[device])

    def decide(self, device: bytes, what: str, state: State) -> None:
        """Have a device remove the record, or decide a field, or take a decision back."""
        field = self.chance.choice(self.focus)
        heads = [pack_head(head) for head in register_of(state, field).heads]
        if what == "removal":
            value = deletion_value("moved", state)
            if self.chance.random() < 0.2:
                del value["registers"]  # as 0.1 wrote them
            self.save(device, {"_deleted": self.chance.choice((value, value, value, None))})
        elif what == "decision":
            over: Value = {"heads": heads, "base": None, "note": None}
            self.save(device, {field: self.chance.choice(PLAIN[field]), f"_decided/{field}": over})
        else:
            unreadable: list[object] = [1] if self.chance.random() < 0.1 else []
            self.save(device, {field: {"reopened": heads + unreadable, "base": None}, f"_decided/{field}": None})


def history(seed: int) -> Case | None:
    """Return a case of random commits in random order; None where one of them nests too deep to be a commit."""
    made = _History(seed)
    made.begin()
    for _ in range(made.chance.randint(1, 9)):
        made.step()
    made.chance.shuffle(made.commits)
    try:
        for one in made.commits:
            commits.check_commit(one)
    except errors.BadFrame:
        return None
    return Case(str(seed), made.commits)
