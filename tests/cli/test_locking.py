"""`server revoke`, `server pending` and `server approve` as people and scripts run them."""

import shutil

import pytest

from fieldsync.ui.terminal import bidi, messages
from tests.cli.conftest import World
from tests.cli.tmux import terminal


def cloned(world: World) -> str:
    """Sync Amal's laptop and a clone of it until the clone awaits approval; return the clone's letters."""
    world.start()
    world.add("amal", "household", family_name="محمد")
    shutil.copytree(world.folder / "amal", world.folder / "clone")
    world.add("amal", "household", family_name="خوري")
    world.json("amal", "sync")
    world.add("clone", "household", family_name="حسن")
    world.json("clone", "sync")  # the first to go on
    world.json("amal", "sync")
    return str(world.json("amal", "status")["device"])


def test_a_pending_clone_is_approved_by_its_six_words(world: World) -> None:
    """Both computers show the next step; wrong words are refused, the right ones accepted, and its work is applied."""
    letters = cloned(world)
    told = world.json("amal", "sync")
    assert told["digest"] == "unchecked"
    words = told["device_pending"]
    assert world.json("amal", "status")["device_pending"] == words
    assert words in world.here("amal", "status", screen=True).out.replace("\n", " ")
    assert words in world.here("amal", "sync", screen=True).out.replace("\n", " ")
    (waiting,) = world.json("hq", "server", "pending")
    assert (waiting["device"], waiting["words"], waiting["person"]) == (letters, words, "Amal")
    assert letters in world.here("hq", "server", "pending", screen=True).out
    refused = world.here("hq", "server", "approve", letters, typed="lusab babad\n")
    assert refused.code == 7
    assert "six words" in refused.err
    assert (
        world.json("hq", "server", "approve", letters, "--words", "a b c d e f", code=7)["error"]["code"]
        == "wrong_words"
    )
    done = world.here("hq", "server", "approve", letters, typed=f"{words.upper()}\n")
    assert (done.code, "Amal" in done.out) == (0, True)
    assert world.json("hq", "server", "pending") == []
    assert world.json("hq", "server", "approve", letters)["pending"] is False
    told = world.json("amal", "sync")
    assert ("device_pending" in told, told["digest"]) == (False, "equal")
    assert "No device" in world.here("hq", "server", "pending", screen=True).out


def test_a_pending_laptop_s_saves_are_listed_on_both_sides(world: World) -> None:
    """With the reason in a sentence; a wrong number is reported as such."""
    cloned(world)
    world.add("amal", "household", family_name="سلوم")
    world.json("amal", "sync")
    (waiting,) = world.json("amal", "quarantine", "list")
    assert waiting["code"] == "device_pending"
    assert "awaits approval" in world.here("hq", "quarantine", "list").out
    told = world.json("hq", "quarantine", "release", f"{waiting['device']}:99", code=5)["error"]
    assert "quarantine list" in told["hint"]
    assert "server approve" in world.here("hq", "server", "pending", screen=True).out


def test_a_family_is_locked_by_confirmation(world: World) -> None:
    """Each further device is confirmed on a terminal and spared if declined; a script locks the named one, `--all` all."""
    pending = cloned(world)
    family = world.json("hq", "server", "revoke", pending)["family"]
    states = {one["device"]: one["state"] for one in family}
    assert family[0]["device"] == pending
    assert states.pop(pending) == "revoked"
    assert len(states) >= 2
    assert "revoked" not in states.values()
    live = str(world.json("clone", "status")["device"])
    assert world.json("clone", "sync")["digest"] == "equal"
    others = len(world.json("hq", "server", "revoke", pending)["family"]) - 1
    said = world.here(
        "hq", "server", "revoke", pending, typed="perhaps\n" + "n\n" * (others - 1) + "نعم\nlong ago\n2026-01-02\n"
    )
    assert said.code == 0
    assert family[1]["enrolled"][:10] in said.out
    assert "Office" in said.out
    told = world.json("hq", "server", "revoke", pending)
    assert told["since"].startswith("2026-01-0")  # asked for until it was a date
    after = told["family"]
    assert [one["state"] for one in after].count("revoked") == 2
    everything = world.json("hq", "server", "revoke", pending, "--all")["family"]
    assert {one["state"] for one in everything} == {"revoked"}
    assert live in {one["device"] for one in everything}
    assert world.json("clone", "sync", code=7)["error"]["code"] == "revoked"
    assert (
        world.json("hq", "server", "grant", live, "--role", "caseworker", "--unit", "LAT/JBL", code=7)["error"]["code"]
        == "revoked"
    )


def test_an_invalid_since_date_changes_nothing(world: World) -> None:
    """A word, an impossible date or a future one is refused; Arabic digits and a time are understood."""
    for wrong in ("long ago", "2026-02-30", "٣٠", "2099-01-01"):
        refused = world.json("hq", "server", "revoke", "C", "--since", wrong, code=2)
        assert refused["error"]["facts"]["reason"] == "since"
    assert {one["state"] for one in world.json("hq", "server", "devices")} == {"enrolled"}
    assert (
        world.json("hq", "server", "revoke", "C", "--since", "٢٠٢٦-٠١-٠٢T٠٣:٠٤")["since"] == "2026-01-02T03:04:00.000Z"
    )
    assert world.json("hq", "server", "revoke", "C")["since"] is not None
    assert world.json("hq", "server", "grant", "B", "--role", "caseworker", "--unit", "LAT/QRD", "--at-once")[
        "units"
    ] == ["LAT/QRD"]


@pytest.mark.parametrize(
    ("lang", "form", "columns"), [("ar", "plain", 80), ("ar", "visual", 80), ("ar", "visual", 40), ("en", "plain", 40)]
)
def test_a_long_prompt_wraps_at_words(world: World, lang: str, form: str, columns: int) -> None:
    """No word is broken, Arabic reads from the top, and the input follows it."""
    world.start()
    world.environment["FIELDSYNC_RTL"] = form
    asked = messages.phrase("ask_since", lang)
    wanted = bidi.wrap_lines(asked, form, columns, rtl=lang == "ar")
    assert len(wanted) > 1
    with terminal(world, columns=columns) as screen:
        screen.start(*world.command("hq", "--lang", lang, "server", "revoke", "C"))
        screen.until(wanted[-1])
        screen.type("long ago")
        shown = [line.rstrip() for line in screen.until("long ago").splitlines()]
    at = shown.index(wanted[0])
    assert shown[at : at + len(wanted) - 1] == wanted[:-1]
    # the last line may be full, so that the terminal has what is typed on the next one
    assert " ".join(shown[at + len(wanted) - 1 :]).startswith(f"{wanted[-1]} long ago")
