"""The checks after a power loss see a server that lost what it had told others."""

import shutil
from collections.abc import Iterator

import pytest

from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from tests.model import disks
from tests.model import history as _registered  # noqa: F401 - the extensions that saves need
from tests.model.world import Broken, World


@pytest.fixture
def world() -> Iterator[World]:
    """Return a world whose branch is as it was before Amal and Basim synced, as if a power loss had taken that."""
    made = World("disk checks", ("amal", "basim"))
    made.nodes["jbl"].close()
    earlier = made.home / "jbl earlier"
    shutil.copytree(made.folders["jbl"], earlier)
    made.open("jbl", made.folders["jbl"])
    with made.saving("basim", "edit", "shelter 1") as node:
        save.edit_record(node, made.records["shelter 1"].hex(), Changes(set={"name": "new"}))
    for name in ("basim", "amal"):
        made.sync(name, "jbl")
    made.replace("jbl", earlier)
    yield made
    made.close()


def test_lost_arrivals_are_seen(world: World) -> None:
    """Amal has taken an arrival that the branch would give out again."""
    with pytest.raises(Broken, match="has taken LAT/JBL up to"):
        disks.given_out(world, "jbl")


def test_lost_acknowledgements_are_seen(world: World) -> None:
    """Basim's save is at the branch, as far as his laptop knows."""
    with pytest.raises(Broken, match="had acknowledged"):
        disks._acknowledged(world, "jbl")
