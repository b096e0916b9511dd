"""States and transitions: which steps are allowed and which of two states is further along."""

from hypothesis import given
from hypothesis import strategies as st

from fieldsync.core.lifecycle import APPROVAL, Lifecycle, linear_lifecycle

VISIT = Lifecycle(
    ("planned", "missed", "cancelled", "done"),
    {
        "planned": ("done", "missed", "cancelled"),
        "missed": ("planned", "done"),
        "cancelled": (),
        "done": (),
    },
    beats=(("done", "cancelled"),),
)
NAMES = ("a", "b", "c", "d", "e")


@st.composite
def lifecycles(draw: st.DrawFn) -> Lifecycle:
    """Any lifecycle over five states, with forks and beats among them."""
    targets = st.lists(st.sampled_from(NAMES), unique=True).map(tuple)
    pairs = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=3)
    transitions = {state: draw(targets) for state in NAMES}
    forks = draw(pairs.map(tuple))
    one_way = {frozenset(pair): pair for pair in draw(pairs) if pair[0] != pair[1]}
    return Lifecycle(NAMES, transitions, forks, tuple(one_way.values()))


def test_a_new_record_starts_in_the_initial_state() -> None:
    """No other state may follow an empty one."""
    assert VISIT.initial_state == "planned"
    assert VISIT.allows_step(None, "planned")
    assert not VISIT.allows_step(None, "done")


def test_only_listed_steps_are_allowed() -> None:
    """A step needs its transition; a repeated state and an unknown one are refused."""
    assert VISIT.allows_step("planned", "done")
    assert VISIT.allows_step("done", "done")
    assert not VISIT.allows_step("done", "planned")
    assert not VISIT.allows_step("planned", "lost")
    assert not VISIT.allows_step("lost", "lost")


def test_an_unknown_state_may_go_to_any_known_one() -> None:
    """A state that the schema no longer has does not block a record."""
    assert VISIT.allows_step("postponed", "done")
    assert not VISIT.allows_step("postponed", "postponed")


def test_the_reachable_state_is_further() -> None:
    """With a path one way, its end; with paths both ways, the later in the list."""
    assert VISIT.further_state("planned", "done") == "done"
    assert VISIT.further_state("missed", "done") == "done"
    assert VISIT.further_state("planned", "missed") == "missed"
    assert VISIT.further_state("missed", "cancelled") == "cancelled"


def test_a_declared_winner_wins_without_a_path() -> None:
    """A visit made wins over its cancelling, although no step leads from one to the other."""
    assert VISIT.further_state("cancelled", "done") == "done"
    assert VISIT.further_state("done", "cancelled") == "done"


def test_diverging_branches_and_unknown_states_need_review() -> None:
    """No path either way, a declared fork, or a state of another form."""
    assert APPROVAL.further_state("approved", "rejected") is None
    assert APPROVAL.further_state("requested", "approved") == "approved"
    assert VISIT.further_state("done", "postponed") is None
    split = Lifecycle(("a", "b", "c"), {"a": ("b", "c"), "b": (), "c": ()})
    assert split.further_state("b", "c") is None


def test_ordered_choices_are_a_lifecycle() -> None:
    """The later choice is further along."""
    row = linear_lifecycle(("surveyed", "approved", "finished"))
    assert row.further_state("finished", "surveyed") == "finished"
    assert row.allows_step("surveyed", "finished")
    assert not row.allows_step("finished", "approved")


@given(lifecycles(), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_comparison_of_states_is_symmetric(lifecycle: Lifecycle, a: str, b: str) -> None:
    """Two nodes with the same two states agree on one of them, or on none."""
    assert lifecycle.further_state(a, b) == lifecycle.further_state(b, a)
    assert lifecycle.further_state(a, b) in (a, b, None)
    assert lifecycle.further_state(a, a) == a


@given(lifecycles(), st.sampled_from(NAMES))
def test_every_allowed_step_is_reachable(lifecycle: Lifecycle, a: str) -> None:
    """A state's successors are reachable from it."""
    assert all(lifecycle.reaches(a, state) for state in lifecycle.next_states(a))
