"""Bundles on real processes: an offline laptop, exit codes, an unplugged USB stick, kill -9."""

import io
import random
import shutil
import subprocess

import pyrage

from tests import kills, warm
from tests.cast import open_node
from tests.cli.conftest import World
from tests.offices import Office


def letters(world: World, who: str) -> str:
    """Return what a laptop is called."""
    return str(world.json(who, "status")["device"])


def test_an_offline_laptop_works_by_bundle(world: World) -> None:
    """Amal is always offline, Basim online: they change one field, Samar decides, and Amal gets the decision."""
    family = world.add("amal", "household", family_name="محمد", location="جبلة")
    packed = world.json("amal", "pack", "up.age")
    assert {**packed, "bytes": 0} == {
        "file": "up.age", "for": "Office", "from": letters(world, "amal"), "number": 1, "commits": 1, "states": 0, "bytes": 0,
    }  # fmt: skip
    assert packed["bytes"] == (world.folder / "up.age").stat().st_size
    waiting = world.json("amal", "status")
    assert (waiting["unsent"], waiting["bundle"]["number"], waiting["bundle"]["commits"]) == (1, 1, 1)
    assert waiting["receipts"][0]["seq"] == 0
    world.start()  # the server runs meanwhile, and need not be stopped for a stick
    assert world.json("hq", "unpack", "up.age") == {
        "from": letters(world, "amal"), "number": 1, "up": {"commits": 1}, "down": {"states": 0}, "new_conflicts": 0,
        "refused": 0, "already": False,
    }  # fmt: skip
    world.json("basim", "sync")
    world.json("basim", "edit", family["id"], "--set", "location=القرداحة")
    world.json("basim", "sync")
    world.json("amal", "edit", family["id"], "--set", "location=اللاذقية")
    world.json("amal", "pack", "up.age")
    assert world.json("hq", "unpack", "up.age")["new_conflicts"] == 1
    assert world.json("hq", "pack", "down.age", "--for", letters(world, "amal"))["states"] == 1
    told = world.json("amal", "unpack", "down.age")
    assert (told["from"], told["down"], told["new_conflicts"], told["digest"]) == ("Office", {"states": 1}, 1, "equal")
    after = world.json("amal", "status")
    assert (after["unsent"], after["bundle"], after["receipts"][0]["seq"]) == (0, None, 2)
    world.json("samar", "sync")
    world.json("samar", "review", "take", family["id"], "location", "--value", "القرداحة")
    world.json("samar", "sync")
    world.json("hq", "pack", "down.age", "--for", letters(world, "amal"))
    world.json("amal", "unpack", "down.age")
    assert world.json("amal", "show", family["id"])["fields"]["location"] == "القرداحة"
    world.json("basim", "sync")
    stood = [world.json(who, "status")["channels"] for who in ("amal", "basim", "hq")]
    assert [one["digest"] for channels in stood for one in channels if one["unit"] == "LAT/JBL"] == [
        stood[0][0]["digest"]
    ] * 3
    for who in ("amal", "hq"):
        assert world.json(who, "check")["ok"]


def test_bundle_messages(world: World) -> None:
    """One line for the result, one for the next step; never a traceback, in either language."""
    world.add("amal", "household", family_name="محمد", location="جبلة")
    assert world.here("amal", "pack", "1.age").out.startswith("Bundle 1 for Office: 1 saves, ")
    assert "of these 1 in bundle 1 (" in world.here("amal", "status").out
    world.add("amal", "household", family_name="محمد", location="جبلة")
    world.here("amal", "pack", "2.age")
    early = world.here("hq", "unpack", "2.age")
    assert (early.code, early.err.splitlines()[0]) == (3, "This needs bundle 1 first; nothing was changed.")
    arabic = world.here("hq", "unpack", "2.age", "--lang", "ar")
    assert arabic.err.startswith("يجب فتح الحزمة 1 أولاً")
    assert world.json("hq", "unpack", "2.age", code=3)["error"]["facts"] == {"number": 1}
    device = letters(world, "amal")
    assert world.here("hq", "unpack", "1.age").out == f"Bundle 1 of {device}: 1 saves taken.\n"
    assert world.here("hq", "unpack", "1.age").out == f"Bundle 1 of {device} was unpacked before; nothing is new.\n"
    assert world.here("hq", "unpack", "2.age").code == 0
    assert world.here("hq", "pack", "r.age", "--for", device).code == 0
    assert world.here("amal", "unpack", "r.age").out == (
        "Bundle 1 of Office: 0 records fetched; your saves have arrived up to number 2.\n"
    )


def test_bundle_exit_codes(world: World) -> None:
    """2 for wrong usage, 3 for missing files, 5 for unknown devices, 7 for revoked ones, 8 for any damage."""
    world.add("amal", "household", family_name="محمد", location="جبلة")
    world.json("amal", "pack", "a.age")
    device = letters(world, "amal")
    whole = (world.folder / "a.age").read_bytes()
    (world.folder / "cut.age").write_bytes(whole[:-7])
    (world.folder / "flipped.age").write_bytes(whole[:-7] + bytes([whole[-7] ^ 1]) + whole[-6:])
    (world.folder / "nothing.age").write_bytes(b"")
    (world.folder / "other.age").write_bytes(b"no bundle at all\n" * 99)
    expected = {
        ("hq", "pack", "x.age"): 2, ("amal", "pack", "x.age", "--for", "B"): 2, ("hq", "pack", "x.age", "--for", "ZZ"): 5,
        ("hq", "unpack", "gone.age"): 3, ("hq", "unpack", "."): 3, ("amal", "pack", "gone/x.age"): 3,
        ("hq", "unpack", "cut.age"): 8, ("hq", "unpack", "flipped.age"): 8, ("hq", "unpack", "nothing.age"): 8,
        ("hq", "unpack", "other.age"): 8, ("basim", "unpack", "a.age"): 8, ("amal", "unpack", "a.age"): 8,
    }  # fmt: skip
    for (who, *words), code in expected.items():
        said = world.here(who, *words)
        assert (said.code, said.out) == (code, ""), said
        assert 1 <= len(said.err.splitlines()) <= 2
    assert world.json("hq", "status")["records"] == {}
    world.json("hq", "server", "revoke", device)
    assert world.here("hq", "unpack", "a.age").code == 7
    assert world.here("hq", "pack", "x.age", "--for", device).code == 7


def test_a_killed_unpack_can_be_repeated(own_office: Office) -> None:
    """kill -9 at many moments: the applied part is consistent, unpacking again completes it, and no plain text is left."""
    home, before = own_office.home / "hq", own_office.home / "before"
    own_office.register("amal", 1_000)  # in four frames, each a transaction
    own_office.json("amal", "pack", "up.age")
    own_office.server.stop()
    shutil.copytree(home, before)

    def as_before() -> None:
        if own_office.server.running:
            own_office.server.kill()
        shutil.rmtree(home)
        shutil.copytree(before, home)
        own_office.server.start()  # it works on the same store

    def start() -> warm.Process:
        return own_office.begin("hq", "unpack", "up.age")

    found: set[int] = set()  # how many commits were applied
    for _ in kills.all_over(start, as_before, found, parts=6, chance=random.Random(7)):
        held = own_office.json("hq", "check")
        assert held["ok"]
        assert held["commits"] <= 1_000
        found.add(held["commits"])
        own_office.json("hq", "unpack", "up.age")
        assert own_office.json("hq", "check")["commits"] == 1_000
    own_office.json("hq", "pack", "down.age", "--for", own_office["amal"].letters)
    own_office.shut("amal")
    own_office.json("amal", "unpack", "down.age")
    assert own_office.json("amal", "status")["unsent"] == 0
    own_office.equal("amal")
    for name in ("hq", "amal"):
        for path in (own_office.home / name).iterdir():
            assert "محمد".encode() not in path.read_bytes()
            assert path.name.startswith(("store.db", "slots.json"))


def test_age_can_decrypt_a_bundle(world: World) -> None:
    """With the recipient's key, by the age program or, where missing, its library."""
    world.add("amal", "household", family_name="محمد", location="جبلة")
    world.json("amal", "pack", "a.age")
    node = open_node(world.folder / "hq")
    with node.store.read() as tx:
        identity = tx.settings.age_identity
    node.close()
    out = io.BytesIO()
    with (world.folder / "a.age").open("rb") as file:
        pyrage.decrypt_io(file, out, [pyrage.x25519.Identity.from_str(identity)])
    assert out.getvalue().startswith(b"fieldsync bundle 1\n")
    program = shutil.which("age")
    if program is not None:
        (world.folder / "identity").write_text(identity + "\n")
        done = subprocess.run(
            [program, "-d", "-i", "identity", "a.age"], cwd=world.folder, capture_output=True, check=True
        )
        assert done.stdout == out.getvalue()
