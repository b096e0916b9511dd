"""The same aid twice, as people meet it."""

from fieldsync import errors
from tests.cli.conftest import World


def test_an_overlap_is_reported_at_entry_and_settled(world: World) -> None:
    """By this laptop's data; a script gets `overlaps`; the list, both decisions, the wrong role."""
    world.start()
    family = world.add("amal", "household", family_name="الحسن")
    aid = {"kind": "food", "period": "٢٠٢٦-١٠", "quantity": "1", "recipient": family["code"]}
    first = world.add("amal", "benefit", **aid, provider="جمعية البر")
    assert "overlaps" not in first
    second = world.add("amal", "benefit", **aid, provider="الهلال الأحمر")
    assert [one["code"] for one in second["overlaps"]] == [first["code"]]
    words = [word for name, value in aid.items() for word in ("--set", f"{name}={value}")]
    said = world.here("amal", "add", "benefit", *words, "--set", "provider=جمعية البر", "--lang", "ar")
    assert "المساعدة نفسها في شهر واحد، بحسب المعروف هنا" in said.out
    assert world.json("amal", "overlaps", "drop", second["code"], "--reason", "x", code=errors.RoleRefused.exit)
    for who in ("amal", "samar"):
        world.json(who, "sync")
    listed = world.json("samar", "overlaps", "list")
    assert {(one["household_code"], one["values"]["period"]) for one in listed} == {(family["code"], "2026-10")}
    assert len(listed) == 3
    assert "JBL-B-2" in world.here("samar", "overlaps").out
    world.json("samar", "overlaps", "both", first["code"], second["code"])
    dropped = world.json("samar", "overlaps", "drop", listed[-1]["b"]["code"], "--reason", "أُدخلت مرتين")
    assert dropped["fields"]["state"] == "cancelled"
    assert world.json("samar", "overlaps", "list") == []
    assert world.json("samar", "overlaps", "list", "--type", "nothing", code=errors.UnknownType.exit)
