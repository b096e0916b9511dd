"""Registers: join is the only merge, and heads are exactly the uncovered writes."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from fieldsync.core.edit_context import Editor, covered_heads, edit_context
from fieldsync.core.register import EMPTY, Dot, Head, Register, contexts_of, join, register_of_write
from fieldsync.core.settle import REVIEW, device_itself

DEVICES = tuple(bytes([65 + i]) * 16 for i in range(4))


@dataclass
class Node:
    """A device with its register, and beside it what the oracle knows: which writes have arrived, in full."""

    device: bytes
    register: Register = EMPTY
    arrived: set[Dot] = field(default_factory=set)
    older: list[tuple[Register, frozenset[Dot]]] = field(default_factory=list)


class History:
    """Four nodes and one field; the oracle keeps for each write the set of all writes that it covers, dot by dot."""

    def __init__(self) -> None:
        self.nodes = [Node(device) for device in DEVICES]
        self.writes: dict[Dot, Register] = {}
        self.covers: dict[Dot, set[Dot]] = {}
        self.seqs = dict.fromkeys(DEVICES, 0)

    def maximal(self, arrived: frozenset[Dot] | set[Dot]) -> set[Dot]:
        """The oracle's heads: the arrived writes that no arrived write covers."""
        covered = set().union(*(self.covers[dot] for dot in arrived)) if arrived else set()
        return set(arrived) - covered

    def known(self, arrived: frozenset[Dot] | set[Dot]) -> set[Dot]:
        """All that these writes include."""
        return set(arrived).union(*(self.covers[dot] for dot in arrived))

    def write(self, who: int, *, decides: bool, stale: bool, gap: int, at: int) -> None:
        """One write: a decision covers all that was seen; an edit all where nothing is open, else the device's own head."""
        node = self.nodes[who]
        register, arrived = (
            node.older[0] if stale and node.older and not decides else (node.register, frozenset(node.arrived))
        )
        self.seqs[node.device] += 1 + gap  # commits that touch other fields take numbers too
        seq = self.seqs[node.device]
        head = Head(node.device, seq, at, "", seq % 3)
        own = {dot for dot in self.writes if dot[0] == node.device}
        last = max(own, default=None)
        writer = Editor(node.device, device_itself, last=contexts_of(self.writes[last])[0] or {} if last else {})
        heads = register.heads if decides else covered_heads(register, REVIEW, writer)
        said = register_of_write(head, register.seen if decides else edit_context(register, heads, writer))
        before = set().union(*(self.covers[dot] for dot in own))
        self.covers[head.dot] = own | (
            self.known(arrived) if decides else before | self.named(arrived, {h.dot for h in heads})
        )
        self.writes[head.dot] = said
        self.receive(who, head.dot)

    def named(self, arrived: frozenset[Dot] | set[Dot], replaced: set[Dot]) -> set[Dot]:
        """What an edit over these heads names: they, and what all heads have written over; a device's own earlier ones with others' only."""
        found = set()
        for dot in self.maximal(arrived):
            others = {one for one in self.covers[dot] if one[0] != dot[0]}
            found |= self.covers[dot] | {dot} if dot in replaced else self.covers[dot] if others else set()
        return found

    def receive(self, who: int, dot: Dot) -> None:
        """One write arrives by itself, out of any order."""
        self._keep(who)
        node = self.nodes[who]
        node.register = join(node.register, self.writes[dot])
        node.arrived.add(dot)

    def exchange(self, source: int, target: int) -> None:
        """One node's register reaches another."""
        self._keep(target)
        node = self.nodes[target]
        node.register = join(node.register, self.nodes[source].register)
        node.arrived |= self.nodes[source].arrived

    def _keep(self, who: int) -> None:
        node = self.nodes[who]
        node.older.append((node.register, frozenset(node.arrived)))
        del node.older[:-3]


_who = st.integers(0, 3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), _who, st.booleans(), st.booleans(), st.integers(0, 2), st.integers(0, 9)),
        st.tuples(st.just("write"), _who, st.booleans(), st.booleans(), st.integers(0, 2), st.integers(0, 9)),
        st.tuples(st.just("receive"), _who, st.integers(0, 100)),
        st.tuples(st.just("exchange"), _who, _who),
    ),
    max_size=40,
)


def lived(steps: list[tuple[object, ...]], check: bool = False) -> History:
    """Play a history; with `check`, compare every node with the oracle after every step."""
    history = History()
    for step in steps:
        match step:
            case ("write", int(who), bool(decides), bool(stale), int(gap), int(at)):
                history.write(who, decides=decides, stale=stale, gap=gap, at=at)
            case ("receive", int(who), int(which)):
                if history.writes:
                    history.receive(who, sorted(history.writes)[which % len(history.writes)])
            case ("exchange", int(source), int(target)):
                history.exchange(source, target)
        if check:
            for node in history.nodes:
                assert {head.dot for head in node.register.heads} == history.maximal(node.arrived)
                for head, context in zip(node.register.heads, contexts_of(node.register), strict=True):
                    named = {dot for dot in history.writes if dot[1] <= (context or {}).get(dot[0], 0)}
                    assert named == {dot for dot in history.covers[head.dot] if dot[0] != head.device}
    return history


@settings(max_examples=400)
@given(STEPS)
def test_heads_are_exactly_the_uncovered_writes(steps: list[tuple[object, ...]]) -> None:
    """Against a dot-by-dot oracle: restricted edits, decisions, stale forms, repeats, any order."""
    lived(steps, check=True)


@given(STEPS, st.randoms(use_true_random=False))
def test_any_order_of_all_writes_gives_the_same_register(steps: list[tuple[object, ...]], order: object) -> None:
    """All writes joined in any order, with repeats, are one register, equal in every part."""
    history = lived(steps)
    writes = list(history.writes.values())
    found = []
    for _ in range(3):
        order.shuffle(writes)  # type: ignore[attr-defined]
        register = EMPTY
        for write in [*writes, *writes[:3]]:
            register = join(register, write)
        found.append(register)
    assert found[0] == found[1] == found[2]
    assert {head.dot for head in found[0].heads} == history.maximal(set(history.writes))


@given(STEPS)
def test_join_is_a_lattice(steps: list[tuple[object, ...]]) -> None:
    """Commutative, associative, idempotent, and what was joined changes nothing a second time."""
    history = lived(steps)
    a, b, c = (node.register for node in history.nodes[:3])
    ab = join(a, b)
    assert ab == join(b, a)
    assert join(ab, c) == join(a, join(b, c))
    assert join(a, a) == a
    assert join(ab, b) == join(a, ab) == ab
    assert join(a, EMPTY) == join(EMPTY, a) == a


@given(STEPS)
def test_a_register_is_well_formed(steps: list[tuple[object, ...]]) -> None:
    """Heads are sorted by dot, one per device, each within `seen`."""
    for node in lived(steps).nodes:
        heads, seen, contexts = node.register
        assert list(heads) == sorted(heads, key=lambda h: h.dot)
        assert len({head.device for head in heads}) == len(heads)
        assert all(seen[head.device] >= head.seq for head in heads)
        assert (
            len(contexts) == len(heads)
            if len(heads) > 1
            else not contexts or contexts != contexts_of(Register(heads, seen))
        )
        assert not any(head.device in (context or {}) for head, context in zip(heads, contexts, strict=bool(contexts)))


@given(STEPS, _who)
def test_joining_does_not_mutate(steps: list[tuple[object, ...]], who: int) -> None:
    """A join makes a new register and leaves both inputs unchanged."""
    history = lived(steps)
    a, b = history.nodes[who].register, history.nodes[(who + 1) % 4].register
    before = a.heads, dict(a.seen), b.heads, dict(b.seen)
    join(a, b)
    assert before == (a.heads, dict(a.seen), b.heads, dict(b.seen))


def test_an_edit_does_not_decide_a_conflict() -> None:
    """With heads A:5 and B:7, an edit without permission adds a third head; a decision covers all."""
    a, b, c = DEVICES[:3]
    five = register_of_write(Head(a, 5, 1, "Amal", "Latakia"), {})
    seven = register_of_write(Head(b, 7, 2, "Basim", "Tartus"), {})
    both = join(five, seven)
    huda = Editor(c, device_itself)
    edit = register_of_write(
        Head(c, 1, 3, "Huda", "Jableh"), edit_context(both, covered_heads(both, REVIEW, huda), huda)
    )
    assert edit.seen == {c: 1}
    assert [head.dot for head in join(both, edit).heads] == [(a, 5), (b, 7), (c, 1)]
    decision = register_of_write(Head(c, 1, 3, "Samar", "Jableh"), both.seen)
    assert [head.dot for head in join(both, decision).heads] == [(c, 1)]
