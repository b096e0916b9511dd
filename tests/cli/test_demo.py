"""The demo plays its story on real processes."""

from tests.cli.conftest import World


def test_the_demo_succeeds(world: World) -> None:
    """Two thousand households, one conflict, one decision, equal digests, and the costs."""
    said = world.run("nobody", "demo", "--json")
    assert said.code == 0, said
    told = said.json
    assert told["ok"]
    assert len(set(told["digests"].values())) == 1
    assert told["costs"][0]["up"]["commits"] == 2_000
    assert told["costs"][-1]["requests"] == 1
    assert not (world.folder / "nobody").exists()


def test_the_tree_demo_succeeds(world: World) -> None:
    """An interrupted connection, a nightly sync, a move, a bundle: all nodes end equal."""
    said = world.run("nobody", "demo", "--tree", "--json")
    assert said.code == 0, said
    assert all(len(set(one.values())) == 1 for one in said.json["digests"].values())
