"""Arabic keyboards write Arabic digits: they are taken wherever a number, a date, a code or a choice is typed, and kept as ASCII.

What a phone or a web page brings along unseen, direction marks and letters in their joined forms, is taken off on every way in.
"""

import unicodedata
from pathlib import Path

import pytest

from tests.cli.conftest import World

MARKED = "\u200f\ufecb\ufee0\ufef2\u202c"  # علي as some programs write it: in joined forms, between direction signs


def test_options_take_arabic_digits(world: World) -> None:
    """Values, steps of a tally, months, limits, codes, days: the same as with ASCII digits."""
    made = world.json(
        "amal", "add", "household", "--set", f"family_name={MARKED}", "--set", "registered_on=٢٠٢٦/٠١/٠٥",
        "--set", "phones=٠٩٤٤١٥٨٦٢١", "--set", "size_stated=٧",
    )  # fmt: skip
    fields = made["fields"]
    assert fields["family_name"] == "علي"
    assert (fields["registered_on"], fields["phones"], fields["size_stated"]) == ("2026-01-05", ["+963944158621"], 7)
    arabic = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
    assert world.json("amal", "show", made["code"].translate(arabic))["id"] == made["id"]
    assert len(world.json("amal", "list", "household", "--where", "size_stated=٧", "--limit", "١")) == 1
    assert len(world.json("amal", "list", "household", "--where", "registered_on=٢٠٢٦-٠١-٠٥")) == 1
    assert len(world.json("amal", "find", "٠٩٤٤١٥٨٦٢١")) == 1
    assert world.json("amal", "agenda", "--until", "٢٠٢٦-١٢-٣١") == []
    assert world.here("amal", "report", "monthly", "--month", "٢٠٢٦-٠١").code == 0
    assert world.here("amal", "report", "monthly", "--year", "٢٠٢٦").code == 0
    assert world.here("amal", "sync", "--dry-run", "--tries", "٢", "--budget", "٢٠٠KB").code == 0


def test_imported_digits_and_invisible_characters_are_cleaned(world: World) -> None:
    """An imported file and a JSON object are cleaned like typed values."""
    Path(world.folder, "families.csv").write_text(
        f"family_name,registered_on,phones,size_stated\n{MARKED},٢٠٢٦-٠١-٠٥,٠٩٤٤١٥٨٦٢١,٧\n", encoding="utf-8"
    )
    told = world.json("amal", "import", str(world.folder / "families.csv"), "--type", "household", "--yes")
    assert (told["added"], told["rejected"]) == (1, 0)
    Path(world.folder, "family.json").write_text(
        f'{{"family_name": "{MARKED}", "registered_on": "٢٠٢٦-٠١-٠٥"}}', encoding="utf-8"
    )
    world.json("amal", "add", "household", "--from", str(world.folder / "family.json"), "--anyway")
    rows = world.json("amal", "list", "household")
    assert {(row["fields"]["family_name"], row["fields"]["registered_on"]) for row in rows} == {("علي", "2026-01-05")}


def test_output_has_ascii_digits(world: World) -> None:
    """Arabic cards, history, status and lists write dates, codes and phones as they are typed."""
    made = world.json(
        "amal", "add", "household", "--set", "family_name=علي", "--set", "registered_on=٢٠٢٦-٠١-٠٥",
        "--set", "phones=٠٩٤٤١٥٨٦٢١",
    )  # fmt: skip
    for words in (("show", made["code"]), ("history", made["code"]), ("list", "household"), ("status",), ()):
        said = world.here("amal", *words, "--lang", "ar").out
        odd = {sign for sign in said if sign.isdigit() and not sign.isascii()}
        odd |= {sign for sign in said if unicodedata.category(sign) == "Cf"}
        assert odd == set()
    shown = world.here("amal", "show", made["code"], "--lang", "ar").out
    assert all(part in shown for part in ("2026-01-05", "+963944158621", made["code"]))


def test_plain_is_text_in_stored_order(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen reader gets letters in stored order without direction marks, on a terminal that reorders."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("XTERM_VERSION", "XTerm(379)")
    made = world.add("amal", "household", family_name="الأسعد", location="جبلة")
    turned = world.here("amal", "show", made["code"], "--lang", "ar", screen=True).out
    plain = world.here("amal", "--plain", "show", made["code"], "--lang", "ar", screen=True).out
    assert "الأسعد" not in turned
    assert "الأسعد" in plain
    assert not {sign for sign in plain if unicodedata.category(sign) == "Cf" or "\ufb50" <= sign <= "\ufefc"}
