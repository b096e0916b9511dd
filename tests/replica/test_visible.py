"""Visible channels: those that a device's grants open, as computed in SQL and by a check of each channel."""

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
def test_visible_channels_match_a_check_of_each(hq: Node, made: list[str], granted: list[tuple[str, str]]) -> None:
    """Units with a common name prefix are distinct; channels shared with all units below are included."""
    grants = tuple(Grant(unit, role) for unit, role in granted)
    with hq.store.write() as tx:
        for name in made:
            tx.channel_number(name)
        assert visible_channels(tx, grants) == [
            channel for channel in tx.channels() if may_see_channel(grants, channel.unit)
        ]
