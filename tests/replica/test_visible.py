"""Which channels a device's grants open, as the store finds them: the same as asking of each channel."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldsync.core.grants import Grant, may_see_channel
from fieldsync.protocol.channel_delta import visible_channels
from fieldsync.replica.node import Node
from tests.cast import found_office, open_node

_part = st.sampled_from(["A", "B", "A0", "AB", "A-1", "_"])
_unit = st.lists(_part, min_size=1, max_size=4).map("/".join)


@pytest.fixture(scope="module")
def hq(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """A headquarters with many units."""
    home: Path = tmp_path_factory.mktemp("visible") / "hq"
    found_office(home)
    return open_node(home)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(_unit | st.builds("{}/{}".format, _unit, st.sampled_from("*^~")), max_size=8),
    st.lists(st.tuples(_unit, st.sampled_from(["caseworker", "supervisor", "partner"])), max_size=3),
)
def test_the_channels_that_grants_open(hq: Node, made: list[str], granted: list[tuple[str, str]]) -> None:
    """Units whose names begin alike are others; what a unit above keeps for all below is seen."""
    grants = tuple(Grant(unit, role) for unit, role in granted)
    with hq.store.write() as tx:
        for name in made:
            tx.channel_number(name)
        assert visible_channels(tx, grants) == [
            channel for channel in tx.channels() if may_see_channel(grants, channel.unit)
        ]
