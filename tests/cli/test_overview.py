"""The overview: `fieldsync` alone shows the present state and next steps."""

from fieldsync import __version__
from tests.cli.conftest import World


def test_without_a_store_the_overview_shows_first_steps(world: World) -> None:
    """An invite or the demo, in both languages, without an error."""
    said = world.here("nobody")
    assert (said.code, said.err) == (0, "")
    assert "fieldsync join INVITE" in said.out
    assert "بدعوة من مكتبك: fieldsync join INVITE" in world.here("nobody", "--lang", "ar").out
    assert world.json("nobody") == {"store": None, "next": ["join", "demo"]}


def test_the_version_is_shown(world: World) -> None:
    """Also without a store, and as JSON."""
    assert world.json("nobody", "--version") == {"fieldsync": __version__}
    assert world.here("nobody", "--version").out == f"fieldsync {__version__}\n"


def test_pending_saves_are_shown_until_sent(world: World) -> None:
    """A new record awaits a sync; then the next step is another family."""
    world.start()
    world.json("amal", "sync")
    before = world.json("amal")
    assert (before["unsent"], before["next"]) == (0, ["add"])
    world.json("amal", "add", "household", "--set", "family_name=أحمد")
    told = world.json("amal")
    assert (told["unsent"], told["next"]) == (1, ["sync"])
    said = world.here("amal").out
    assert "1 saves not sent yet" in said
    assert "fieldsync sync" in said
    world.json("amal", "sync")
    assert world.json("amal")["next"] == ["add"]


def test_only_supervisors_are_pointed_to_the_review(world: World) -> None:
    """Conflicts are decided by those with permission."""
    world.start()
    code = world.json("amal", "add", "household", "--set", "family_name=أحمد")["code"]
    for who in ("amal", "basim", "samar"):
        world.json(who, "sync")
    for who, name in (("amal", "خليل"), ("basim", "حداد")):
        world.json(who, "edit", code, "--set", f"family_name={name}")
    for who in ("amal", "basim", "amal", "samar"):
        world.json(who, "sync")
    assert world.json("samar")["next"] == ["review"]
    told = world.json("amal")
    assert told["conflicts"] == 1
    assert "review" not in told["next"]


def test_pending_pairs_are_counted_for_supervisors(world: World) -> None:
    """Duplicates and overlaps after comparison, and uncompared records; a caseworker sees none."""
    world.start()
    home = world.json("amal", "add", "household", "--set", "family_name=أحمد")["code"]
    for who in ("amal", "basim"):
        world.json("amal", "sync")
        world.json(who, "sync")
        person = {
            "given": "محمد",
            "father": "علي",
            "grandfather": "سليم",
            "family": "أحمد",
            "birth_date": "1990-05-12",
            "sex": "m",
        }
        world.add(who, "person", **person, birth_precision="day", alive="alive")
        world.add(who, "benefit", kind="food", period="2026-10", quantity="1", recipient=home, provider=f"جمعية {who}")
        world.json(who, "sync")
    world.json("samar", "sync")
    told = world.json("samar")
    assert {name: told[name] for name in ("conflicts", "duplicates", "overlaps")} == {
        "conflicts": 0,
        "duplicates": 0,
        "overlaps": 1,
    }
    assert told["uncompared"] > 0
    assert told["next"] == ["review"]
    assert "not compared yet" in world.here("samar", "status").out
    world.json("samar", "duplicates", "list")
    told = world.json("samar", "status")
    assert (told["duplicates"], told["overlaps"], told["uncompared"]) == (1, 1, 0)
    said = world.here("samar").out
    assert "possible duplicates: 1" in said
    assert "overlaps: 1" in said
    asked = world.json("amal")
    assert (asked["duplicates"], asked["overlaps"], asked["uncompared"]) == (0, 0, 0)
    assert "review" not in asked["next"]
