"""A withdrawn consent wins over a given one, whatever the clocks show."""

from hypothesis import given
from hypothesis import strategies as st

from fieldsync.core.register import Head, Register
from fieldsync.core.settle import settle
from fieldsync.replica.merge_rules import Rules
from fieldsync.schema import load

_rule = Rules(load.load_texts(load.shipped_texts())).type_rules("consent").field_rule("state")
_heads = st.lists(
    st.tuples(st.sampled_from(["given", "refused", "withdrawn", "expired"]), st.integers(0, 2**62)), min_size=1, max_size=5
)  # fmt: skip


@given(_heads)
def test_a_withdrawal_wins(said: list[tuple[str, int]]) -> None:
    """Concurrent values at any times, in any order: withdrawn if anybody withdrew it, given only without other values."""
    heads = tuple(Head(bytes([n]) * 16, 1, at, "x", state) for n, (state, at) in enumerate(said))
    settled = settle(Register(heads, {head.device: 1 for head in heads}), _rule.policy)
    states = {state for state, _ in said}
    assert not settled.look or "withdrawn" not in states
    if "withdrawn" in states:
        assert settled.value == "withdrawn"
    elif settled.value == "given":
        assert states == {"given"}
