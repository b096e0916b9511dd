"""`duplicates bulk` on a terminal and in scripts: preview, confirmation, merge; refused where people disagreed."""

import pytest

from fieldsync.review import duplicate_pairs
from fieldsync.review.duplicate_bulk import ENOUGH
from tests.cast import open_node
from tests.cli.conftest import World
from tests.review.test_duplicate_bulk import GIVEN, decide, person


@pytest.fixture
def office(world: World) -> World:
    """Samar has seven men twice, of whom she has merged five."""
    node = open_node(world.folder / "samar")
    for number, given in enumerate(GIVEN[: ENOUGH + 2]):
        for _ in range(2):
            person(node, given, number)
    decide(node, ENOUGH)
    node.close()
    return world


def left(world: World) -> int:
    """Return how many pairs are open."""
    node = open_node(world.folder / "samar")
    found = len(duplicate_pairs.list_pairs(node, type="person"))
    node.close()
    return found


def test_a_bulk_merge_is_previewed_and_confirmed(office: World) -> None:
    """Names and reasons are shown; n changes nothing, y merges without repeating the list."""
    said = office.here("samar", "duplicates", "bulk", "--type", "person", "--score", "80", typed="n\n").out
    assert "Would merge: 2." in said
    assert "Nothing was merged." in said
    assert left(office) == 2
    said = office.here("samar", "duplicates", "bulk", "--type", "person", "--score", "80", typed="y\n").out
    assert said.count("~") == 2
    assert "Merged: 2." in said
    assert left(office) == 0


def test_scripts_and_dry_runs_are_not_asked(office: World) -> None:
    """A dry run merges nothing; a script gets the merged pairs."""
    words = ("duplicates", "bulk", "--type", "person", "--score", "80")
    told = office.json("samar", *words, "--dry-run")
    assert (told["merged"], told["dry_run"], len(told["pairs"]), told["past"]["merged"]) == (0, True, 2, ENOUGH)
    assert left(office) == 2
    told = office.json("samar", *words)
    assert (told["merged"], told["dry_run"], told["past"]["apart"]) == (2, False, 0)
    assert left(office) == 0


def test_a_disagreement_and_a_wrong_score_are_errors(office: World) -> None:
    """With their own exit codes and advice."""
    node = open_node(office.folder / "samar")
    decide(node, 0, apart=1)
    node.close()
    said = office.here("samar", "duplicates", "bulk", "--type", "person", "--score", "80", "--yes")
    assert (said.code, said.out) == (9, "")
    assert f"{ENOUGH} were merged and 1 marked as different" in said.err
    assert left(office) == 1
    assert office.here("samar", "duplicates", "bulk", "--type", "person", "--score", "5").code == 2
