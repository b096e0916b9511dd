"""Consent: a withdrawal stands, whatever the clocks show."""

from hypothesis import given
from hypothesis import strategies as st

from fieldsync.core.register import Head, Register
from fieldsync.core.settle import settle
from fieldsync.schema import load

STATE = load.load_texts(load.shipped_texts()).type("consent").policy("state")
OTHERS = st.lists(
    st.tuples(st.sampled_from(["given", "refused", "withdrawn", "expired"]), st.integers(0, 5)), max_size=5
)


@given(OTHERS, st.integers(0, 5), st.data())
def test_a_withdrawal_wins_over_any_other_value(others: list[tuple[str, int]], at: int, data: st.DataObject) -> None:
    """Any number of devices and stamps, in any order: withdrawn, without review."""
    values = data.draw(st.permutations([("withdrawn", at), *others]))
    heads = tuple(Head(bytes([65 + n]) * 16, 1, stamp, "", value) for n, (value, stamp) in enumerate(values))
    found = settle(Register(heads, {head.device: head.seq for head in heads}), STATE)
    assert found.value == "withdrawn"
    assert not found.look
