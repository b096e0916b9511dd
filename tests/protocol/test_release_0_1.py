"""Compatibility with release 0.1: its program against the present one, in every direction, and its stores after an upgrade."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from fieldsync.core.version import VERSION
from tests.cast import ROOT
from tests.older import Computer, Release

FAMILY = ("--set", "family_name=الخطيب", "--set", "housing=rented")


class World(NamedTuple):
    """A headquarters of 0.1 with Amal's and Samar's laptops, and its branch with Nora's; each saved, and had synced."""

    home: Path
    hq: Computer
    jbl: Computer
    amal: Computer
    samar: Computer
    nora: Computer


NAMES = World._fields[1:]


def add(at: Computer, place: str, unit: str = "LAT/JBL") -> str:
    """Register a family, and return its id."""
    return str(at.json("add", "household", *FAMILY, "--set", f"location={place}", "--unit", unit)["id"])


def places(at: Computer) -> set[str]:
    """The places of the families that a computer holds."""
    return {one["fields"].get("location") for one in at.json("list", "household", "--limit", "0")}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return a world made by 0.1's own program: Amal and Samar in conflict, which Samar knows; all have unsent work."""
    home = tmp_path_factory.mktemp("old")
    (home / "program").mkdir()
    release = Release(home / "program")
    world = World(home, *(Computer(home / "world" / name, release) for name in NAMES))
    world.hq.found("Office", "LAT")
    world.jbl.found("x", "LAT/JBL")
    with world.hq.serving(), world.jbl.serving():
        world.amal.json("join", world.hq.invite("Amal", "caseworker", "LAT/JBL"))
        world.samar.json("join", world.hq.invite("Samar", "supervisor", "LAT"))
        world.jbl.json("server", "upstream", "set", world.hq.invite("Jableh", "branch", "LAT/JBL"))
        world.nora.json("join", world.jbl.invite("Nora", "caseworker", "LAT/JBL"))
        family = add(world.amal, "first")
        world.amal.json("sync")
        world.samar.json("sync")
        world.amal.json("edit", family, "--set", "location=by Amal")
        world.samar.json("edit", family, "--set", "location=by Samar")
        world.amal.json("sync")
        world.samar.json("sync")
    add(world.amal, "pending of Amal")
    add(world.samar, "pending of Samar", "LAT/QRD")
    add(world.nora, "pending of Nora")
    yield world
    release.close()


@pytest.fixture
def world(template: World, tmp_path: Path) -> World:
    """Return a copy of it."""
    return World(tmp_path, *(getattr(template, name).copy(tmp_path / name) for name in NAMES))


def told_to_update(at: Computer, *words: str) -> None:
    """Assert that a command of 0.1 tells its user to update, in the user's own language."""
    code, error = at.fails(*words)
    assert (code, error["code"]) == (8, "bad_version")  # 0.1's own exit code for it
    assert "version 2, this program speaks 1" in error["message"]
    assert error["hint"] == "Update fieldsync."


def test_an_old_laptop_pushes_and_is_asked_to_update(world: World) -> None:
    """Amal returns after weeks: her commits are acknowledged, she receives nothing new, and updates."""
    hq, amal, samar = world.hq, world.amal, world.samar
    hq.update()
    samar.update()
    with hq.serving():
        assert samar.json("sync")["digest"] == "equal"
        add(samar, "news for Jableh")
        samar.json("sync")
        late = Computer(world.home / "late", amal.release)
        told_to_update(late, "join", hq.invite("Late", "caseworker", "LAT/JBL"))
        told_to_update(amal, "sync")
        assert "حدّث" in amal.fails("--lang", "ar", "sync")[1]["hint"]
        assert "pending of Amal" in places(hq)
        told = amal.json("status")
        assert (told["unsent"], told["receipts"][0]["seq"]) == (0, 3)
        fleet = {one["person"]: one for one in hq.json("server", "fleet")}
        assert (fleet["Amal"]["version"], fleet["Samar"]["version"]) == (None, VERSION)
        assert [need["what"] for need in fleet["Amal"]["needs"]] == ["unknown"]
        assert "news for Jableh" not in places(amal)
        amal.update()
        assert amal.json("sync")["digest"] == "equal"
    assert "news for Jableh" in places(amal)


def test_a_0_1_store_works_after_the_update(world: World) -> None:
    """Both update: every command works, the conflict can be decided, and pending commits arrive."""
    for one in (world.hq, world.amal, world.samar):
        one.update()
    samar = world.samar
    (item,) = samar.json("review", "list")
    assert {head["value"] for head in item["heads"]} == {"by Amal", "by Samar"}
    assert samar.json("status")["unsent"] == 1
    for words in (
        ("check",), ("show", item["record"], "--all-heads"), ("history", item["record"]), ("find", "الخطيب"), ("doctor",),
        ("review", "show", item["record"]), ("schema", "list"), ("duplicates", "list"), ("report", "--list"),
        ("backup", str(world.home / "samar.backup")), ("export", "household", "--out", str(world.home / "a.csv")),
    ):  # fmt: skip
        samar.json(*words)
    with world.hq.serving():
        for one in (samar, world.amal):
            assert one.json("sync")["digest"] == "equal"
        samar.json("review", "take", item["record"], "location", "--value", "decided")
        for one in (samar, world.amal):
            assert one.json("sync")["digest"] == "equal"
    for one in (world.hq, samar, world.amal):
        assert {"decided", "pending of Amal"} <= places(one)
    assert "pending of Samar" in places(world.hq)
    world.hq.json("server", "check")


def test_a_new_laptop_works_fully_with_an_old_server(world: World) -> None:
    """Huda's laptop is new, and Samar's is updated: they join, push and pull by protocol 1; then the server is updated."""
    hq, samar = world.hq, world.samar
    samar.update()
    huda = Computer(world.home / "huda", None)
    with hq.serving():
        huda.json("join", hq.invite("Huda", "caseworker", "LAT/JBL"))
        add(huda, "of Huda")
        assert huda.json("sync")["digest"] == "equal"
        told = samar.json("sync")
        assert (told["digest"], told["up"]["commits"]) == ("equal", 1)
        assert {"of Huda", "pending of Samar"} <= places(samar)
        assert samar.json("sync")["requests"] == 2  # it asks first what the server speaks by now
    hq.update()
    with hq.serving():
        assert [samar.json("sync")["requests"] for _ in range(2)] == [2, 1]
    hq.release = world.amal.release  # put back to the old program: what once spoke 2 is spoken 1 with no more
    with hq.serving():
        code, error = samar.fails("sync")
        assert (code, error["code"]) == (11, "peer_outdated")


def test_an_old_branch_pushes_everything(world: World) -> None:
    """Jableh forwards Nora's enrolment and commits once, learns of revocations, and is asked to update."""
    hq, jbl, nora = world.hq, world.jbl, world.nora
    hq.update()
    with jbl.serving():
        nora.json("sync")
    with hq.serving():
        told_to_update(jbl, "server", "upstream", "sync")
        assert "pending of Nora" in places(hq)
        devices = {one["person"]: one for one in hq.json("server", "devices")}
        assert devices["Nora"]["commits"] == 1
        hq.json("server", "revoke", devices["Nora"]["device"], "--all")
        told_to_update(jbl, "server", "upstream", "sync")
        assert "by Amal" not in places(jbl)  # nothing of headquarters' came down meanwhile
        locked = {one["person"]: one["state"] for one in jbl.json("server", "devices")}
        assert locked["Nora"] == "revoked"
        jbl.update()
        assert jbl.json("server", "upstream", "sync")["digest"] == "equal"
    assert "pending of Amal" not in places(jbl)
    assert places(jbl) & {"by Amal", "by Samar"}


def test_the_fleet_below_an_old_branch_is_not_called_unused(world: World) -> None:
    """Nora syncs with a branch of 0.1, which reports nothing: "unknown", and not "never synced: ask, otherwise revoke it"."""
    hq, jbl, nora = world.hq, world.jbl, world.nora
    with hq.serving():
        jbl.json("server", "upstream", "sync")  # both are of 0.1: it does not tell where Nora joined
    hq.update()
    for after in range(2):
        fleet = {one["person"]: [need["what"] for need in one["needs"]] for one in hq.json("server", "fleet")}
        assert fleet["Nora"] == ["unknown"], after
        if not after:
            with jbl.serving():
                nora.json("sync")
            with hq.serving():
                told_to_update(jbl, "server", "upstream", "sync")


def test_a_new_branch_works_fully_with_an_old_headquarters(world: World) -> None:
    """The branch is updated first: commits and states travel both ways."""
    world.jbl.update()
    with world.jbl.serving():
        told_to_update(world.nora, "sync")  # her work is taken
    with world.hq.serving():
        assert world.jbl.json("server", "upstream", "sync")["digest"] == "equal"
    assert "pending of Nora" in places(world.hq)
    assert places(world.jbl) & {"by Amal", "by Samar"}


def test_newer_forms_pass_an_old_branch(world: World) -> None:
    """Headquarters publishes keys, a type and a field that 0.1 does not know: nobody of 0.1 gets them, and no save is lost.

    Nora fetches them at headquarters, fills in the new field, and syncs with her branch of 0.1; Amal's 0.1 saves under its own forms.
    """
    hq, jbl, nora, amal = world.hq, world.jbl, world.nora, world.amal
    forms = shutil.copytree(ROOT / "schemas", world.home / "forms")
    landmark = '[fields.landmark]\ntype = "text"\nmerge = "review"\nsensitivity = 1\nlabel = { en = "Landmark", ar = "معلم قريب" }\n'
    household = (forms / "household.toml").read_text("utf-8").replace("version = 1", "version = 2", 1)
    (forms / "household.toml").write_text(f"{household}\n{landmark}", "utf-8")
    with hq.serving():
        jbl.json("server", "upstream", "sync")
    with jbl.serving():
        nora.json("sync")  # so she hears of headquarters
    nora.update()
    hq.update()
    hq.json("schema", "publish", str(forms))
    with hq.serving(), jbl.serving():
        assert nora.json("sync", "--server", "Office")["forms"]
        family = add(nora, "under new forms")
        nora.json("edit", family, "--set", "landmark=the mill")
        add(amal, "under old forms")
        told_to_update(amal, "sync")
        assert "forms_unread" not in amal.json("status")["health"]
        for _ in range(2):
            told = nora.json("sync", "--server", "LAT/JBL")
            assert (told["refused"], nora.json("status")["unsent"]) == (0, 0)
            told_to_update(jbl, "server", "upstream", "sync")
        assert {"under new forms", "under old forms"} <= places(hq)
        assert hq.json("show", family)["fields"]["landmark"] == "the mill"
        for one in (jbl, amal):
            assert one.json("check")["ok"]
        amal.update()
        assert amal.json("sync")["digest"] == "equal"
    jbl.update()
    with hq.serving(), jbl.serving():
        assert jbl.json("server", "upstream", "sync")["digest"] == "equal"
        assert nora.json("sync", "--server", "LAT/JBL")["digest"] == "equal"
    for one in (jbl, amal, nora):
        assert one.json("show", family)["fields"]["landmark"] == "the mill"
    for one in (hq, jbl):
        assert one.json("quarantine", "list") == []


def test_an_undone_step_is_quarantined_by_0_1_until_released(world: World) -> None:
    """0.1 refuses the reversal of Amal's step; headquarters releases it after the update, and both show it."""
    hq, amal = world.hq, world.amal
    amal.update()
    head = amal.json("add", "person", "--set", "given=سلمى", "--set", "sex=female", "--unit", "LAT/JBL")["id"]
    complete = ("--set", "registered_on=2026-11-01", "--set", "displacement=resident", "--set", f"head={head}")
    family = str(amal.json("add", "household", *FAMILY, "--set", "location=x", *complete, "--unit", "LAT/JBL")["id"])
    amal.json("edit", family, "--set", "state=registered")
    with hq.serving():
        amal.json("sync")
        amal.json("undo")
        assert amal.json("sync")["refused"] == 1
    hq.update()
    (kept,) = hq.json("quarantine", "list")
    assert kept["code"] == "illegal_step"
    hq.json("quarantine", "release", f"{kept['device']}:{kept['seq']}", "--by", "Samar")
    with hq.serving():
        # what was quarantined is not applied on its author's laptop either: range repair brings it when it is released
        assert [amal.json("sync")["digest"] for _ in range(2)] == ["healed", "equal"]
    for one in (hq, amal):
        assert one.json("show", family)["fields"]["state"] == "draft"
    assert amal.json("status")["refused"] == []


def test_bundles_between_old_and_new_releases(world: World) -> None:
    """0.1's bundle is read and acknowledged, with "update" in its status; a new laptop's is read and answered by 0.1."""
    hq, amal, stick = world.hq, world.amal, str(world.home / "stick.age")
    letters = amal.json("status")["device"]
    amal.json("pack", stick)
    hq.update()
    assert hq.json("unpack", stick)["up"]["commits"] == 1
    assert hq.json("pack", stick, "--for", letters)["states"] == 0
    assert amal.json("unpack", stick)["acknowledged"] == 3
    told = amal.json("status")
    assert (told["unsent"], "forms_unread" in told["health"]) == (0, True)
    amal.update()
    with hq.serving():
        assert amal.json("sync")["digest"] == "equal"
    assert "forms_unread" not in amal.json("status")["health"]
    assert hq.json("pack", stick, "--for", letters)["states"] > 0  # she speaks 2 by now, though she saved nothing since
    assert amal.json("unpack", stick)["digest"] == "equal"


def test_a_new_laptop_s_bundle_is_read_by_an_old_server(world: World) -> None:
    """Samar's updated laptop packs for 0.1 and reads 0.1's answer."""
    hq, samar, stick = world.hq, world.samar, str(world.home / "stick.age")
    world.amal.update()
    with hq.serving():
        world.amal.json("sync")
    samar.update()
    samar.json("pack", stick)
    assert hq.json("unpack", stick)["up"]["commits"] == 1
    assert hq.json("pack", stick, "--for", samar.json("status")["device"])["states"] > 0
    assert samar.json("unpack", stick)["digest"] == "equal"
    assert "pending of Amal" in places(samar)


@pytest.mark.parametrize("old", ["server", "laptop"])
def test_a_copied_store_is_renewed_across_releases(world: World, old: str) -> None:
    """Amal's laptop was restored and used since: nothing of both is lost, whichever side has 0.1."""
    hq, amal = world.hq, world.amal
    copy = amal.copy(world.home / "copy")
    add(copy, "of the copy")
    (hq if old == "laptop" else amal).update()
    copy.release = amal.release
    with hq.serving():
        if old == "server":
            assert [one.json("sync")["digest"] for one in (amal, copy)] == ["equal", "equal"]
        else:
            told_to_update(amal, "sync")
            add(amal, "behind the copy")
            told_to_update(amal, "sync")
            told_to_update(copy, "sync")
        assert {"pending of Amal", "of the copy"} <= places(hq)


def test_a_conflict_wrongly_ended_by_0_1_awaits_a_decision(world: World) -> None:
    """Amal's 0.1 overwrote Samar's value and her own pending one; after the update it is quarantined until Samar decides."""
    hq, amal, samar = world.hq, world.amal, world.samar
    (item,) = samar.json("review", "list")
    family = item["record"]
    with hq.serving():
        amal.json("sync")
    amal.json("edit", family, "--set", "location=ended by Amal")
    for one in (hq, amal, samar):
        one.update()
    with hq.serving():
        amal.json("sync")
        assert [one["code"] for one in amal.json("status")["refused"]] == ["undecided"]
        samar.json("sync")
        for one in (amal, samar):
            (item,) = one.json("review", "show", family)
            assert {head["value"] for head in item["heads"]} == {"by Amal", "by Samar"}
        samar.json("review", "take", family, "location", "--value", "decided")
        for one in (samar, amal, samar):
            assert one.json("sync")["digest"] in ("equal", "healed")
        assert amal.json("status")["refused"] == []
        (item,) = samar.json("review", "show", family)
        assert {head["value"] for head in item["heads"]} == {"decided", "ended by Amal"}
    for one in (hq, amal, samar):
        assert not one.json("check")["faults"]
