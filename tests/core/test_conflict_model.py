"""The conflict rule on a model: no one person ends a conflict between others, and no honest commit is stuck."""

import random
from collections.abc import Iterator

import pytest

from tests.core.conflict_model import Field, bits

STEPS = {("d", "a"), ("d", "b"), ("a", "f")}
VALUES = {"review": "xyz", "latest": "xyz", "furthest": "dabf"}


def further(a: str, b: str) -> str | None:
    """The state further along: d leads to a and f, and to b; a and b diverge."""
    order = {"d": 0, "a": 1, "f": 2, "b": 1}
    if a == b or {a, b} in ({"a", "b"}, {"b", "f"}):
        return a if a == b else None
    return max(a, b, key=order.__getitem__)


def allows(old: str, new: str) -> bool:
    """A state may stay, or go one step on."""
    return old == new or (old, new) in STEPS


def a_field(policy: str, persons: tuple[int, ...]) -> Field:
    """Return a field that nobody has written yet."""
    return Field(persons, policy, further, allows if policy == "furthest" else lambda _old, _new: True)


def honest(field: Field, device: int, held: int, value: str, last: int) -> int | None:
    """Return the context of an honest edit; None where it changes nothing, is no step, or has no state to lead on from."""
    covers, context = field.edit(device, held, last)
    if covers and all(field.commits[i].value == value for i in covers):
        return None
    heads = field.heads(held)
    if field.policy == "furthest" and field.is_open(heads) and device not in {field.commits[i].device for i in heads}:
        return None  # the program has it decided first (replica/save.py), also where the person's other device wrote a head
    if field.policy == "furthest" and not (
        field.leads_on(sum(1 << i for i in covers), value, covers) and field.leads_on(context, value, [])
    ):
        return None
    return context


# --- every small history ----------------------------------------------------------------------------------------------


def closed(field: Field, held: int) -> bool:
    """Say whether a set of commits has all that these have written over."""
    return not any(field.commits[i].context & ~held for i in bits(held))


def small_histories(field: Field, left: int) -> Iterator[Field]:
    """Yield every history of so many more commits in which at most one person is not honest, up to names."""
    if not left:
        yield field
        return
    n = len(field.commits)
    used = {one.device for one in field.commits}
    for device in range(1, 5):
        if (device == 2 and 1 not in used) or (device == 4 and 3 not in used):
            continue
        own = sum(1 << i for i, one in enumerate(field.commits) if one.device == device)
        last = max((field.commits[i].context for i in bits(own)), default=0)
        for value in VALUES[field.policy][: None if n or field.policy == "furthest" else 1]:
            proper = set()
            for held in range(1 << n):
                if not own & ~held and closed(field, held):
                    context = honest(field, device, held, value, last)
                    proper |= set() if context is None else {context | own}
            for context in range(1 << n):
                if own & ~context or any(
                    field.commits[j].device == field.commits[i].device and not context >> j & 1
                    for i in bits(context)
                    for j in range(i)
                ):
                    continue
                field.add(device, value, context, honest=context in proper)
                if len({one.person for one in field.commits if not one.honest}) < 2:
                    yield from small_histories(field, left - 1)
                field.commits.pop()


@pytest.mark.parametrize("policy", ["review", "latest", "furthest"])
@pytest.mark.parametrize(
    ("size", "base"),
    [(3, False), (3, True), pytest.param(4, False, marks=[pytest.mark.long, pytest.mark.timeout(3_600)])],
)
def test_every_small_history(policy: str, base: bool, size: int) -> None:
    """All histories of three commits (of four) by up to three people, one with two devices and arbitrary contexts."""
    field = a_field(policy, (0, 1, 1, 2, 3))
    if base:
        field.base = True
        field.add(0, VALUES[policy][0], 0)
    seen = 0
    for one in small_histories(field, size):
        seen += 1
        everything = (1 << len(one.commits)) - 1
        accepted = one.judged(everything, 0)
        for person in (1, 2, 3):
            if all(made.honest or made.person == person for made in one.commits):
                assert not one.ended_by(person, accepted), one
        if all(made.honest for made in one.commits):
            assert accepted == everything, one
    assert seen > 500


# --- many larger ones -------------------------------------------------------------------------------------------------


class History:
    """A random one: Nadia (0) made the record, Amal (1) has two devices, Samar (5) decides; headquarters and a branch judge."""

    PERSONS = (0, 1, 1, 2, 3, 4, 5)

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.field = a_field(self.random.choice(["review", "review", "latest", "furthest"]), self.PERSONS)
        start = 0
        if self.random.random() < 0.8:
            self.field.base = True
            self.field.add(0, self.random.choice(VALUES[self.field.policy]), 0)
            start = 1
        self.hostile = self.random.random() < 0.7
        self.arrived = {"hq": start, "branch": start}
        self.accepted = {"hq": start, "branch": start}
        self.held = dict.fromkeys(range(1, 7), start)
        self.own = dict.fromkeys(range(1, 7), 0)
        self.home = {device: self.random.choice(["hq", "hq", "hq", "branch"]) for device in self.held}

    def write(self, device: int) -> None:
        """One person saves: as the program does, or in any way at all."""
        field, value = self.field, self.random.choice(VALUES[self.field.policy])
        person, held = field.persons[device], self.held[device]
        decides = person == 5
        context: int | None
        if person == 1 and self.hostile:
            context = self._any_context()
        elif decides and self.random.random() < 0.4:
            context = held
        else:
            last = max(bits(self.own[device]), default=None)
            context = honest(field, device, held, value, 0 if last is None else field.commits[last].context)
        if context is not None:
            made = 1 << field.add(device, value, context, decides=decides, honest=not (person == 1 and self.hostile))
            self.held[device] |= made
            self.own[device] |= made

    def _any_context(self) -> int:
        commits = self.field.commits
        context = sum(1 << i for i in range(len(commits)) if self.random.random() < 0.6)
        for i in reversed(range(len(commits))):
            if context >> i & 1:
                context |= sum(1 << j for j in range(i) if commits[j].device == commits[i].device)
                if self.random.random() < 0.9:
                    context |= commits[i].context
        return context

    def sync(self, device: int, server: str) -> None:
        """A laptop sends all that is its own, and takes the server's registers in place of its own."""
        self.arrived[server] |= self.own[device]
        self._judge(server)
        self.held[device] = self.accepted[server]

    def night(self) -> None:
        """The branch sends up all that it has, and follows headquarters."""
        self.arrived["hq"] |= self.arrived["branch"]
        self._judge("hq")
        self.arrived["branch"] |= self.accepted["hq"]
        self.accepted["branch"] = self.accepted["hq"]

    def _judge(self, server: str) -> None:
        self.accepted[server] = self.field.judged(self.arrived[server], self.accepted[server])
        for person in (1, 2, 3, 4):
            assert not self.field.ended_by(person, self.accepted[server]), self.field

    def lived(self, most: int = 10) -> None:
        """Let it happen, and everybody sync in the end."""
        size = self.random.randint(4, most)
        for _ in range(2 * size):
            device = self.random.randrange(1, 7)
            chance = self.random.random()
            if chance < 0.55 and len(self.field.commits) < size:
                self.write(device)
            elif chance < 0.65:
                self.night()
            else:
                self.sync(device, self.home[device] if self.random.random() < 0.85 else "hq")
        for _ in range(2):
            for device in self.held:
                self.sync(device, self.home[device])
            self.night()


@pytest.mark.parametrize(
    "seeds", [range(1_500), pytest.param(range(1_500, 80_000), marks=[pytest.mark.long, pytest.mark.timeout(3_600)])]
)
def test_many_larger_histories(seeds: range) -> None:
    """No person's commits end a conflict between others, no honest commit is stuck, and the order of arrival does not matter."""
    conflicts = 0
    for seed in seeds:
        history = History(seed)
        history.lived()
        field, accepted = history.field, history.accepted["hq"]
        stuck = [i for i in bits(history.arrived["hq"] & ~accepted) if field.commits[i].honest]
        assert not stuck, (seed, field)
        order = list(bits(history.arrived["hq"]))
        history.random.shuffle(order)
        arrived = outcome = 0
        for i in order:
            arrived |= 1 << i
            outcome = field.judged(arrived, outcome)
        assert outcome == accepted, (seed, field)
        conflicts += field.is_open(field.heads(accepted))
    assert conflicts > len(seeds) // 20  # these histories are about something
