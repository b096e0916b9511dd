"""Coverage and context of edits: the program's registers agree with the model."""

from fieldsync.core.edit_context import Editor, covered_heads, edit_context, is_open
from fieldsync.core.lifecycle import Lifecycle
from fieldsync.core.register import (
    EMPTY,
    Context,
    Dot,
    Head,
    Register,
    build_register,
    contexts_of,
    join,
    register_of_write,
)
from fieldsync.core.settle import Policy, settle
from tests.core.conflict_model import bits
from tests.core.test_conflict_model import STEPS, History

LIFECYCLE = Lifecycle(
    ("d", "a", "b", "f"), {old: tuple(new for one, new in sorted(STEPS) if one == old) for old in "dab"}
)
POLICIES = {"review": Policy(), "latest": Policy("latest"), "furthest": Policy("furthest", lifecycle=LIFECYCLE)}


class Compared(History):
    """A random history in which each write is made twice: by the model, and by registers that were joined in any order."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.hostile = False
        self.compared = self.conflicts = 0

    def dot(self, i: int) -> Dot:
        """Number a device's commits with gaps, as it also writes other fields."""
        return bytes([self.field.commits[i].device]) * 16, 3 * i + 2

    def named(self, context: Context) -> int:
        """Return the commits that a context names."""
        return sum(1 << i for i in range(len(self.field.commits)) if self.dot(i)[1] <= context.get(self.dot(i)[0], 0))

    def vector(self, commits: int) -> dict[bytes, int]:
        """Return a context that names these commits."""
        return dict(sorted(self.dot(i) for i in bits(commits)))

    def register(self, held: int) -> Register:
        """Join what these commits say."""
        order = list(bits(held))
        self.random.shuffle(order)
        register = EMPTY
        for i in order:
            one = self.field.commits[i]
            head = Head(*self.dot(i), i, str(one.person), one.value)
            register = join(register, register_of_write(head, self.vector(one.context)))
        return register

    def write(self, device: int) -> None:
        """Compare before anything is written."""
        me = bytes([device]) * 16
        policy = POLICIES[self.field.policy]
        held = self.held[device]
        register = self.register(held)
        last = max(bits(self.own[device]), default=None)
        before = 0 if last is None else self.field.commits[last].context
        writer = Editor(
            me, lambda one: self.PERSONS[one[0]], self.dot(0) if self.field.base else None, self.vector(before)
        )
        heads, context = self.field.edit(device, held, before)
        found = covered_heads(register, policy, writer)
        own = self.vector(self.own[device])
        assert is_open(register, policy, writer.person) == self.field.is_open(self.field.heads(held))
        assert {head.dot for head in found} == {self.dot(i) for i in heads}
        assert self.named({**edit_context(register, found, writer), **own}) == context | self.own[device]
        for head, one in zip(register.heads, contexts_of(register), strict=True):
            i = (head.seq - 2) // 3
            earlier = {head.device: head.seq - 1}
            assert self.named({**(one or {}), **earlier}) == self.field.commits[i].context
        self.compared += 1
        self.conflicts += len(register.heads) > 1
        super().write(device)


def test_the_program_agrees_with_the_model() -> None:
    """Covered heads, named commits, open registers and contexts, in random histories joined in any order."""
    compared = conflicts = 0
    for seed in range(150):
        history = Compared(seed)
        history.lived(40)
        compared += history.compared
        conflicts += history.conflicts
    assert conflicts > compared // 20


A, B, C, M = (bytes([n]) * 16 for n in (1, 2, 3, 9))


def test_adopting_one_side_s_value_does_not_hide_the_other() -> None:
    """Over Maha's value Amal writes x and Basim y; Huda, who saw only Amal's, writes y over it: x stays a head."""
    started = register_of_write(Head(M, 1, 0, "Maha", "m"), {})
    amal = register_of_write(Head(A, 1, 1, "Amal", "x"), {M: 1})
    basim = register_of_write(Head(B, 1, 2, "Basim", "y"), {M: 1})
    huda = register_of_write(Head(C, 1, 3, "Huda", "y"), {M: 1, A: 1})
    register = join(join(started, huda), join(amal, basim))
    assert {head.value for head in register.heads} == {"y"}
    assert settle(register, Policy()).look
    assert is_open(register, Policy(), bytes)
    alike = register_of_write(Head(C, 1, 3, "Huda", "y"), {M: 1})
    register = join(join(started, alike), basim)
    assert not settle(register, Policy()).look
    assert not is_open(register, Policy(), bytes)


def test_codes_are_compared_exactly() -> None:
    """Two spellings that people take for one value are one in a name, and two in a choice."""
    register = join(
        register_of_write(Head(A, 1, 1, "Amal", "محمد"), {}), register_of_write(Head(B, 1, 2, "Basim", "محمـد"), {})
    )
    assert not is_open(register, Policy(), bytes)
    assert is_open(register, Policy("review", ("محمد", "محمـد")), bytes)


def test_heads_with_unknown_contexts() -> None:
    """Heads of 0.1 have none: equal values are shown as one, and an edit leaves others' heads."""
    heads = (Head(A, 1, 1, "Amal", "y"), Head(B, 1, 2, "Basim", "y"))
    old = Register(heads, {A: 1, B: 1, M: 1})
    assert contexts_of(old) == (None, None)
    assert not settle(old, Policy()).look
    writer = Editor(C, bytes)
    assert covered_heads(old, Policy(), writer) == ()
    assert edit_context(old, (), writer) == {M: 1}
    known = build_register([(heads[0], {M: 1}), (heads[1], {M: 1})], old.seen)
    assert join(old, known) == join(known, old) == known
    assert covered_heads(known, Policy(), writer) == heads
