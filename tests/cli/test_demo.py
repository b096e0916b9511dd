"""The demo tells the story as it is told, on real processes."""

from tests.cli.conftest import World


def test_the_demo_comes_out_as_told(world: World) -> None:
    """Two thousand households, one conflict, one decision, equal digests; what it cost is told."""
    said = world.run("nobody", "demo", "--json")
    assert said.code == 0, said
    told = said.json
    assert told["ok"]
    assert len(set(told["digests"].values())) == 1
    assert told["costs"][0]["up"]["commits"] == 2_000
    assert told["costs"][-1]["requests"] == 1
    assert not (world.folder / "nobody").exists()


def test_the_tree_s_demo_comes_out_as_told(world: World) -> None:
    """A cut line, a night, a move, a stick: every server and laptop ends with the same of what it may see."""
    said = world.run("nobody", "demo", "--tree", "--json")
    assert said.code == 0, said
    assert all(len(set(one.values())) == 1 for one in said.json["digests"].values())
