"""States: a record's registers, kept short, merge and compare as the registers themselves would."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fieldsync.core.commit import state_of
from fieldsync.core.register import EMPTY, Head, Register, build_register, contexts_of, join
from fieldsync.core.state import (
    Base,
    State,
    canonical_bytes,
    digest_term,
    head_dots,
    join_states,
    newest_write,
    register_of,
    registers,
    split_state,
    state_from_registers,
    without_heads_behind,
)
from tests.histories import DEVICES, FIELDS, MEMBERS, RECORD, WORLDS, World


def by_registers(ours: State, theirs: State) -> dict[str, Register]:
    """Merge two states the long way: every register written out, joined one by one."""
    mine, other = registers(ours), registers(theirs)
    return {name: join(mine.get(name, EMPTY), other.get(name, EMPTY)) for name in mine.keys() | other.keys()}


def states(world: World) -> list[State]:
    """Return every state in the world: what the devices hold, what they held, what each commit says."""
    held = [writer.state for writer in world.writers if writer.state is not None]
    earlier = [state for writer in world.writers for state in writer.older[-4:]]
    return held + earlier + [state_of(commit) for commit in world.commits]


@settings(max_examples=150)
@given(WORLDS, st.data())
def test_merging_states_joins_their_registers(world: World, data: st.DataObject) -> None:
    """Expanding, joining and folding give the same registers, and the same short form."""
    everything = states(world)
    for _ in range(5 if everything else 0):
        ours, theirs = data.draw(st.sampled_from(everything)), data.draw(st.sampled_from(everything))
        merged, changed = join_states(ours, theirs)
        expected = by_registers(ours, theirs)
        assert registers(merged) == expected
        bases = [s.base for s in (ours, theirs) if s.base is not None]
        assert merged.base == min(bases, default=None)
        assert changed == {name for name, register in expected.items() if registers(ours).get(name, EMPTY) != register}
        folded = state_from_registers(RECORD, "household", merged.base, expected.items())
        assert canonical_bytes(folded) == canonical_bytes(merged)
        assert digest_term(folded) == digest_term(merged)


@settings(max_examples=150)
@given(WORLDS, st.randoms(use_true_random=False))
def test_any_order_of_delivery_gives_the_same_bytes(world: World, order: object) -> None:
    """All commits, in any order and more than once, two beginnings included: one state, byte for byte, one term."""
    said = [state_of(commit) for commit in world.commits]
    if not said:
        return
    found = set()
    for _ in range(4):
        order.shuffle(said)  # type: ignore[attr-defined]
        state = said[0]
        for other in [*said[1:], *said[:2]]:
            state, _ = join_states(state, other)
        found.add((canonical_bytes(state), digest_term(state), state.base))
    assert len(found) == 1


@settings(max_examples=150)
@given(WORLDS)
def test_merging_states_is_a_lattice(world: World) -> None:
    """Commutative, associative, idempotent, base and short form included."""
    a, b, c, *_ = [writer.state or State(RECORD, "household", None, {}, {}) for writer in world.writers]
    ab = join_states(a, b)[0]
    assert canonical_bytes(ab) == canonical_bytes(join_states(b, a)[0])
    assert canonical_bytes(join_states(ab, c)[0]) == canonical_bytes(join_states(a, join_states(b, c)[0])[0])
    assert join_states(a, a) == (a, set())
    assert join_states(ab, b)[1] == set()


@settings(max_examples=150)
@given(WORLDS)
def test_equal_terms_mean_equal_registers(world: World) -> None:
    """A digest's term differs if any register differs."""
    terms: dict[int, bytes] = {}
    bytes_: dict[bytes, int] = {}
    for writer in world.writers:
        if writer.state is not None:
            its_term, its_bytes = digest_term(writer.state), canonical_bytes(writer.state)
            assert terms.setdefault(its_term, its_bytes) == its_bytes
            assert bytes_.setdefault(its_bytes, its_term) == its_term


@settings(max_examples=150)
@given(WORLDS)
def test_one_register_equals_that_of_the_expanded_state(world: World) -> None:
    """For fields, members, and unknown names."""
    for state in states(world):
        everything = registers(state)
        wanted = {*everything, *FIELDS, *(f"needs/{m}" for m in MEMBERS), "needs", "needs/none", "other", "name/x"}
        assert {
            name: register_of(state, name) for name in wanted if register_of(state, name) is not EMPTY
        } == everything


@settings(max_examples=100)
@given(WORLDS)
def test_the_newest_write_and_the_dots_come_from_the_heads(world: World) -> None:
    """The last change of a record, and the commits in it."""
    for writer in world.writers:
        if writer.state is None:
            continue
        heads = [head for register in registers(writer.state).values() for head in register.heads]
        assert {head.dot for head in heads} <= head_dots(writer.state) | (
            {writer.state.base.dot} if writer.state.base else set()
        )
        newest = newest_write(writer.state)
        if heads:
            assert newest is not None
            assert newest.stamp >= max(head.stamp for head in heads)


@settings(max_examples=100)
@given(WORLDS)
def test_merging_does_not_mutate(world: World) -> None:
    """A merge leaves both states unchanged."""
    everything = states(world)[:6]
    before = [canonical_bytes(state) for state in everything]
    for a in everything:
        for b in everything:
            join_states(a, b)
    assert before == [canonical_bytes(state) for state in everything]


def test_a_record_created_on_two_laptops_has_one_base() -> None:
    """With one id created twice, the smaller dot is the base on every node, and both values stay."""
    world = World()
    world.make(0, {"name": "Huda", "needs": ["food"]})
    world.make(1, {"name": "هدى", "needs": ["food", "shelter"]})
    for who in (2, 3):
        first, second = (0, 1) if who == 2 else (1, 0)
        world.carry(first, who)
        world.carry(second, who)
    huda, other = world.writers[2].state, world.writers[3].state
    assert huda is not None
    assert other is not None
    assert huda == other
    assert huda.base is not None
    assert huda.base.device == DEVICES[0]
    assert [head.value for head in register_of(huda, "name").heads] == ["Huda", "هدى"]


@given(WORLDS)
def test_parts_of_a_state_join_to_the_whole(world: World) -> None:
    """Split any number of times; an indivisible part is one register or the base."""
    for writer in world.writers:
        if writer.state is None:
            continue
        parts, whole = [writer.state], []
        while parts:
            smaller = split_state(parts[0])
            whole += [] if smaller else parts[:1]
            parts[:1] = smaller
        assert all(len(part.fields) + (part.base is not None) <= 1 for part in whole)
        again = whole[0]
        for part in whole[1:]:
            again = join_states(again, part)[0]
        assert canonical_bytes(again) == canonical_bytes(writer.state)
        assert digest_term(again) == digest_term(writer.state)


def test_heads_behind_a_device_s_number_are_left_out() -> None:
    """What else that device wrote stays, as do all others' heads; no context reaches behind the number."""
    amal, basim, samar = DEVICES[:3]
    mine, theirs = Head(amal, 5, 7, "Amal", "Homs"), Head(basim, 3, 8, "Basim", "Hama")
    both = build_register([(mine, {basim: 2}), (theirs, {amal: 6, samar: 9})], {amal: 6, basim: 3, samar: 9})
    fields = {
        "city": both,
        "name": Register((Head(amal, 4, 6, "Amal", "x"),), {amal: 4}),
        "size": Register((mine._replace(value=4),), {amal: 5}),
    }
    state = State(RECORD, "household", Base(amal, 1, 1, "Amal"), {"_code": "JBL-A-1-00"}, fields)
    left = without_heads_behind(state, {amal: 4, samar: 2})
    assert (left.base, left.values) == (state.base, state.values)
    assert left.fields.keys() == {"city", "name"}
    assert left.fields["name"] == fields["name"]
    assert left.fields["city"].heads == (theirs,)
    assert contexts_of(left.fields["city"]) == ({amal: 4, samar: 2},)
    assert left.fields["city"].seen == {amal: 4, basim: 3, samar: 2}
    assert without_heads_behind(state, {amal: 5, samar: 2}) is state
    assert without_heads_behind(state, {amal: 0})._replace(fields={}) == State(RECORD, "household", None, {}, {})
