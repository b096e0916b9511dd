"""Settle: every policy shows one of the heads, loses none, and ignores their order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync.core import names
from fieldsync.core.lifecycle import APPROVAL
from fieldsync.core.register import Head, Register
from fieldsync.core.settle import (
    POLICIES,
    REOPENED,
    Policy,
    candidate_heads,
    newest_head,
    pack_head,
    settle,
    settle_member,
    settle_tally_part,
    unpack_head,
)

A, B, C, D = (bytes([65 + i]) * 16 for i in range(4))
ORDER = ("low", "medium", "high")
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(-5, 5),
    st.sampled_from(["low", "medium", "high", "requested", "approved", "rejected", " low", "محمد", "محمـد", "2026-01-02", "٣", "3"]),
)  # fmt: skip
POLICY = st.builds(
    Policy,
    st.sampled_from([p for p in POLICIES if p not in {"set", "tally", "log"}]),
    st.sampled_from([(), ORDER]),
    st.sampled_from([None, APPROVAL]),
)


@st.composite
def heads(draw: st.DrawFn, values: st.SearchStrategy[object] = SCALARS, first: int = 1) -> tuple[Head, ...]:
    """Return concurrent heads: one for each device, stamps that may be equal."""
    devices = draw(st.lists(st.sampled_from([A, B, C, D]), unique=True, max_size=4))
    return tuple(
        Head(d, draw(st.integers(first, first + 9)), draw(st.integers(0, 3)), "", draw(values)) for d in sorted(devices)
    )  # type: ignore[arg-type]


@st.composite
def reopened(draw: st.DrawFn) -> tuple[Head, ...]:
    """Return heads of which some are undone decisions, two of the same one perhaps."""
    found = []
    earlier = draw(heads())
    for head in draw(heads(st.just("x"), 20)):
        inner = draw(st.just(earlier) | st.just(earlier[1:]))
        again = {REOPENED: [pack_head(one) for one in inner]}
        found.append(head._replace(value=again if inner and draw(st.booleans()) else draw(SCALARS)))
    return tuple(found)


def register(found: tuple[Head, ...]) -> Register:
    """Return the register with these heads."""
    return Register(found, {head.device: head.seq for head in found})


@pytest.mark.parametrize("policy", [Policy("furthest", ORDER), Policy("furthest", lifecycle=APPROVAL)])
def test_two_laptops_may_go_equally_far(policy: Policy) -> None:
    """Each sends a text of its own that says the same, a third one an earlier code: nobody needs to look."""
    first, code = ("low", "high") if policy.order else ("requested", "approved")
    found = Head(A, 1, 1, "Amal", code), Head(B, 1, 2, "Basim", code.encode().decode()), Head(C, 1, 3, "Samar", first)
    settled = settle(register(found), policy)
    assert (settled.value, settled.head, settled.look) == (code, found[1], False)


@pytest.mark.parametrize("policy", [Policy("latest", ORDER), Policy("once", lifecycle=APPROVAL), Policy()])
def test_codes_are_equal_by_what_they_say(policy: Policy) -> None:
    """Two laptops send two texts; yes is no number, and another code is another."""
    assert policy.values_equal("high", b"high".decode())
    assert not policy.values_equal(True, 1)
    assert not policy.values_equal("high", "low")


@given(heads() | reopened(), POLICY)
def test_settling_ignores_the_order_of_heads(found: tuple[Head, ...], policy: Policy) -> None:
    """The same heads in any order show the same value and the same need for review."""
    first = settle(register(found), policy)
    for order in (found[::-1], found[1:] + found[:1], found[2:] + found[:2]):
        assert settle(Register(order, register(found).seen), policy) == first


@given(heads() | reopened(), POLICY)
def test_the_shown_value_is_one_of_the_heads(found: tuple[Head, ...], policy: Policy) -> None:
    """The register is unchanged."""
    before = register(found)
    settled = settle(before, policy)
    assert before == register(found)
    if not found:
        assert settled == (None, None, False)
        return
    assert settled.head in candidate_heads(before)
    assert settled.head is not None
    assert settled.value == settled.head.value


@given(heads(), POLICY)
def test_equal_values_are_not_a_conflict(found: tuple[Head, ...], policy: Policy) -> None:
    """Ignoring spaces and the script of digits."""
    if found and all(names.equal_values(head.value, found[0].value) for head in found):
        settled = settle(register(found), policy)
        assert not settled.look
        assert settled.head == newest_head(found)


@given(heads())
def test_review_asks_whenever_values_differ(found: tuple[Head, ...]) -> None:
    """The default policy never chooses between different values."""
    differ = any(not names.equal_values(a.value, b.value) for a in found for b in found)
    settled = settle(register(found), Policy("review"))
    assert settled.look is differ
    assert not found or settled.head == newest_head(found)


@given(heads(st.integers(-9, 9)))
def test_greatest_and_least_are_the_ends(found: tuple[Head, ...]) -> None:
    """Numbers: the maximum and the minimum, and no question."""
    if found:
        values = [head.value for head in found]
        assert settle(register(found), Policy("greatest"))[::2] == (max(values), False)  # type: ignore[type-var]
        assert settle(register(found), Policy("least"))[::2] == (min(values), False)  # type: ignore[type-var]


@given(heads(st.sampled_from(ORDER) | st.none()))
def test_choices_rank_by_their_order_not_by_their_letters(found: tuple[Head, ...]) -> None:
    """The risk of a case: high is more than medium, although it comes before in the alphabet."""
    known = [str(head.value) for head in found if head.value is not None]
    if known:
        best = settle(register(found), Policy("greatest", ORDER))
        assert best.value == max(known, key=ORDER.index)
        assert not best.look


def test_values_of_different_types_need_review() -> None:
    """A number and a text cannot be ranked."""
    found = (Head(A, 1, 1, "", 5), Head(B, 1, 2, "", "five"))
    assert settle(register(found), Policy("greatest")).look


def test_lists_and_maps_have_no_greatest() -> None:
    """No form allows them; they never rank by how a programming language would print them."""
    for one, other in ((["b"], ["a"]), ({"a": 1}, ["a"]), ("z", ["a"]), (1, {"a": 1})):
        found = register((Head(A, 1, 1, "", one), Head(B, 1, 2, "", other)))
        for policy in ("greatest", "least"):
            settled = settle(found, Policy(policy))
            assert (settled.value, settled.look) == (other, True)


def test_true_is_not_1_in_a_choice_either() -> None:
    """Choices and states are compared exactly."""
    found = register((Head(A, 1, 1, "", True), Head(B, 1, 2, "", 1)))
    assert settle(found, Policy("review", ORDER)).look
    assert settle(found, Policy("once", ORDER)).value is True


@given(heads(st.sampled_from(APPROVAL.states)))
def test_furthest_follows_the_lifecycle_and_asks_where_it_forks(found: tuple[Head, ...]) -> None:
    """Approved beats requested; approved against rejected is for a person."""
    states = {head.value for head in found}
    settled = settle(register(found), Policy("furthest", lifecycle=APPROVAL))
    if states >= {"approved", "rejected"}:
        assert settled.look
    elif found:
        assert not settled.look
        assert settled.value == next((s for s in ("approved", "rejected") if s in states), "requested")


@given(heads(st.sampled_from(["a", "b"])), st.sets(st.sampled_from([A, B, C, D])))
def test_latest_needs_review_only_with_a_wrong_clock(found: tuple[Head, ...], off: set[bytes]) -> None:
    """The newest stamp wins, unless one of the clocks is known to be wrong."""
    settled = settle(register(found), Policy("latest"), lambda head: head.device in off)
    if len({head.value for head in found}) > 1:
        assert settled.head == newest_head(found)
        assert settled.look is any(head.device in off for head in found)


@given(heads(st.sampled_from(["a", "b"])))
def test_once_shows_the_first_value(found: tuple[Head, ...]) -> None:
    """A different later value needs review."""
    settled = settle(register(found), Policy("once"))
    if len({head.value for head in found}) > 1:
        assert settled.look
        assert settled.head == min(found, key=lambda h: (h.stamp, h.device, h.seq))


@given(heads(st.booleans() | st.none()))
def test_a_concurrent_add_wins_over_a_removal(found: tuple[Head, ...]) -> None:
    """A set member stays while any head has it."""
    assert settle_member(register(found)) is any(head.value is True for head in found)


@given(heads(st.integers(0, 99)))
def test_a_cloned_device_counts_once(found: tuple[Head, ...]) -> None:
    """Two heads of one device's part of a tally are one count, the larger."""
    assert settle_tally_part(register(found)) == max((head.value for head in found), default=0)  # type: ignore[type-var]


# --- decisions undone -------------------------------------------------------------------------------------------------


@given(heads(), POLICY)
def test_an_undone_decision_restores_its_heads(found: tuple[Head, ...], policy: Policy) -> None:
    """With the same authors and times."""
    if found:
        undone = Head(D, 99, 99, "Samar", {REOPENED: [pack_head(head) for head in found]})
        assert candidate_heads(register((undone,))) == found
        assert settle(register((undone,)), policy) == settle(register(found), policy)


@given(heads(), heads())
def test_concurrent_undos_reopen_one_question(found: tuple[Head, ...], others: tuple[Head, ...]) -> None:
    """Two supervisors undo the same decision, or one undoes while another edits: no head counts twice."""
    undone = {REOPENED: [pack_head(head) for head in found]}
    both = (Head(A, 90, 5, "", undone), Head(B, 90, 6, "", undone), *(h for h in others if h.device not in {A, B}))
    expected = {head.dot for head in found} | {head.dot for head in others if head.device not in {A, B}}
    if found:
        assert [head.dot for head in candidate_heads(register(both))] == sorted(expected)


@pytest.mark.parametrize("value", [None, 5, [], [["zz", 1, 1, "", 1]], [[1, 2]], {}, [None], "x", [["00", 1, 1, "x"]]])
def test_a_malformed_undone_decision_is_shown_as_a_value(value: object) -> None:
    """Values of a foreign program break nothing, and none vanishes."""
    head = Head(A, 1, 1, "", {REOPENED: value})  # type: ignore[dict-item]
    other = Head(B, 1, 2, "", "x")
    shown = settle(register((head, other)), Policy("review"))
    assert shown.head is not None
    assert other in candidate_heads(register((head, other)))
    if value != []:
        assert head in candidate_heads(register((head, other)))


@given(heads())
def test_a_head_survives_packing_as_a_value(found: tuple[Head, ...]) -> None:
    """The heads that a decision was made over are kept completely."""
    for head in found:
        again = unpack_head(pack_head(head))
        assert again == head
        assert type(again.value) is type(head.value)
