"""Consent: whatever the clocks say, one who took it back has taken it back."""

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
def test_a_withdrawal_stands_beside_anything(others: list[tuple[str, int]], at: int, data: st.DataObject) -> None:
    """Any number of devices, any stamps, equal ones too, in any order: withdrawn, and nobody has to be asked."""
    values = data.draw(st.permutations([("withdrawn", at), *others]))
    heads = tuple(Head(bytes([65 + n]) * 16, 1, stamp, "", value) for n, (value, stamp) in enumerate(values))
    found = settle(Register(heads, {head.device: head.seq for head in heads}), STATE)
    assert found.value == "withdrawn"
    assert not found.look
