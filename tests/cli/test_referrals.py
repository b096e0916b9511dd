"""A case worker refers a family's daughter to a charity, whose own laptop accepts and delivers; then the consent is withdrawn."""

from typing import Any

import pytest

from tests.cast import ROOT
from tests.cli.conftest import World

ALBIR = "LAT/ALBIR"
REPORTS = sorted(one.stem for one in (ROOT / "schemas" / "reports").glob("*.sql"))
CHARITY = ("charity_sent", "charity_accepted", "charity_done")
ANSWERED = ("referrals", "accepted", "done", "answered", "service")


def person(world: World) -> dict[str, Any]:
    """Register a family and its daughter on Amal's laptop."""
    family = world.add("amal", "household", family_name="سلوم", location="جبلة")
    made: dict[str, Any] = world.json("amal", "add", "person", "--set", f"household={family['id']}", "--set", "given=ليلى", "--set", "family=سلوم", "--set", "sex=f", "--anyway")  # fmt: skip
    return made


def consent(world: World, who: str, subject: str) -> dict[str, Any]:
    """Write down a consent to be referred to the charity."""
    said = {"subject": subject, "purpose": "referral", "method": "written", "given_on": "2026-01-02", "state": "given", "share_with": ALBIR}  # fmt: skip
    words = [word for name, value in said.items() for word in ("--set", f"{name}={value}")]
    made: dict[str, Any] = world.json(who, "add", "consent", *words)
    return made


def register_charity(world: World) -> None:
    """Register the charity's organisation, and let Amal's laptop know it."""
    world.json("samar", "add", "organisation", "--set", "name_ar=البر", "--set", "kind=charity", "--set", f"partner_unit={ALBIR}", "--unit", "LAT")  # fmt: skip
    world.json("samar", "sync")
    world.json("amal", "sync")


def test_a_referral_from_invite_to_withdrawal(world: World) -> None:
    """All by commands: an invite for the charity, the referral, its answer, what was delivered, the list, the withdrawal."""
    world.start()
    register_charity(world)
    invite = world.json("hq", "server", "invite", "هدى", "--role", "partner", "--unit", ALBIR)["invite"]
    assert world.json("huda", "join", invite)["role"] == "partner"
    who = person(world)
    refused = world.json("amal", "refer", who["code"], "--to", ALBIR, "--reason", "مدفأة", code=7)
    assert refused["error"]["code"] == "consent_needed"
    given = consent(world, "amal", who["id"])
    referral = world.json("amal", "refer", who["code"], "--to", ALBIR, "--reason", "مدفأة", "--urgency", "urgent", "--share", "given", "--share", "household.location")  # fmt: skip
    assert referral["fields"]["state"] == "sent"
    assert "Nothing of it is shared" not in world.here("amal", "show", referral["code"]).out
    world.json("amal", "sync")
    assert world.json("huda", "sync")["digest"] == "equal"
    (waiting,) = world.json("huda", "referral", "list", "--unanswered")
    assert (waiting["id"], waiting["overdue"], waiting["unit"]) == (referral["id"], False, ALBIR)
    seen = world.json("huda", "show", who["id"])
    assert seen["fields"] == {"given": "ليلى"}
    assert seen["code"] is None
    assert world.json("huda", "list", "household")[0]["fields"] == {"location": "جبلة"}
    error = world.json("huda", "edit", who["id"], "--set", "given=x", code=7)
    assert error["error"]["code"] == "role_refused"
    accepted = world.json("huda", "referral", "accept", referral["code"])
    assert accepted["fields"]["state"] == "accepted"
    service = world.json("huda", "referral", "deliver", referral["code"], "--service", "other")
    world.json("huda", "referral", "complete", referral["code"])
    for name in ("huda", "amal"):
        assert world.json(name, "sync")["digest"] == "equal"
    assert world.json("amal", "referral", "list", "--unanswered") == []
    told = {
        name: world.json("huda", "report", name, "--year", given["fields"]["given_on"][:4])["rows"] for name in REPORTS
    }
    assert {row["figure"]: row["this"] for row in told["monthly"] if row["this"]} == dict.fromkeys(CHARITY, 1)
    assert {row["figure"]: row["n"] for row in told["cases"] if row["n"]} == dict.fromkeys(ANSWERED, 1)
    others = ("caseload", "coverage", "overdue", "quality")  # nothing of what she was not given
    assert [told[name] for name in others] == [[]] * len(others)
    assert world.json("amal", "show", service["id"])["fields"]["referral"] == referral["id"]
    world.json("samar", "sync")
    withdrawn = world.json("samar", "consent", "withdraw", given["code"])
    assert withdrawn["fields"]["state"] == "withdrawn"
    for code, words in (
        (given["code"], "Nothing is shared under it any more"),
        (referral["code"], "Nothing of it is shared"),
    ):
        assert words in world.here("samar", "show", code).out
    world.json("samar", "sync")
    assert world.json("huda", "sync")["digest"] == "equal"
    assert world.json("huda", "status")["records"] == {}
    world.json("amal", "sync")
    (told,) = world.json("amal", "consent", "list", who["code"])
    assert (told["unit"], told["consent_state"], told["shared"]) == (ALBIR, "withdrawn", False)
    assert told["fields"] == ["household.location", "organisation.name_ar", "person.given"]
    again = world.json("amal", "refer", who["code"], "--to", ALBIR, "--reason", "مدفأة", code=7)
    assert again["error"]["code"] == "consent_needed"
    said = world.here("amal", "--lang", "ar", "consent", "list", who["code"])
    assert "مسحوبة" in said.out
    assert world.json("hq", "check")["listed"] == []  # what was honest then is so today


@pytest.mark.parametrize(("lang", "words"), [("en", "Nothing of it is shared"), ("ar", "لا يُشارَك منها شيء")])
def test_a_withdrawal_says_that_sharing_ended(world: World, lang: str, words: str) -> None:
    """The card that follows it, and later ones."""
    world.start()
    register_charity(world)
    who = person(world)
    consent(world, "amal", who["id"])
    code = world.json("amal", "refer", who["code"], "--to", ALBIR, "--reason", "مدفأة")["code"]
    assert words not in world.here("amal", "show", code, "--lang", lang).out
    assert words in world.here("amal", "referral", "withdraw", code, "--lang", lang).out
    assert words in world.here("amal", "show", code, "--lang", lang).out


def test_bad_words_change_nothing(world: World) -> None:
    """A malformed or unknown unit, field or person, or an illegal answer: one clear error each."""
    world.start()
    register_charity(world)
    who = person(world)
    consent(world, "amal", who["id"])
    for words, code, name in (
        (("refer", who["code"], "--to", "lat albir", "--reason", "x"), 3, "illegal_value"),
        (("refer", who["code"], "--to", "LAT/ALBIRR", "--reason", "x"), 7, "unit_refused"),
        (("refer", who["code"], "--to", ALBIR, "--reason", "x", "--share", "salary"), 3, "unknown_field"),
        (("refer", "JBL-ZZ-99", "--to", ALBIR, "--reason", "x"), 5, "no_record"),
        (("refer", who["code"], "--to", ALBIR, "--reason", "x", "--override", "hurry"), 7, "role_refused"),
        (("refer", who["code"], "--to", ALBIR, "--reason", "x", "--urgency", "soon"), 3, "illegal_value"),
        (("referral", "accept", who["code"]), 3, "illegal_value"),
        (("consent", "withdraw", who["code"]), 3, "illegal_value"),
    ):
        assert world.json("amal", *words, code=code)["error"]["code"] == name, words
    assert world.json("amal", "list", "referral") == []
    sent = world.json("amal", "refer", who["code"], "--to", ALBIR, "--reason", "x")
    assert world.json("amal", "referral", "complete", sent["code"], code=3)["error"]["code"] == "illegal_step"
