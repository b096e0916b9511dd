"""A person registered twice, by commands: warning, queue and decisions."""

import pytest

from tests.cast import JBL, QRD
from tests.cli.conftest import World
from tests.cli.test_screen import Talk

AHMAD = {"given": "أحمد", "father": "محمد", "family": "الحسن", "mother": "فاطمة", "birth_date": "1990-05-12"}
AGAIN = {**AHMAD, "given": "Ahmad", "father": "Mohamed", "family": "Al-Hassan"}


def words(fields: dict[str, str]) -> list[str]:
    """The words that set these fields."""
    return [word for name, value in fields.items() for word in ("--set", f"{name}={value}")]


def two(world: World, *, other_unit: str = JBL) -> tuple[str, str]:
    """Let a supervisor hold one person twice; return both ids."""
    first = world.json("samar", "add", "person", "--unit", JBL, *words(AHMAD))
    second = world.json("samar", "add", "person", "--unit", other_unit, *words(AGAIN))
    return first["id"], second["id"]


def test_a_script_gets_warnings_and_the_record_is_saved(world: World) -> None:
    """`add --set` does not ask: it saves, and its output lists possible duplicates with reasons."""
    known = world.json("amal", "add", "person", *words(AHMAD))
    assert "duplicates" not in known
    told = world.json("amal", "add", "person", *words(AGAIN))
    (found,) = told["duplicates"]
    assert (found["id"], found["code"]) == (known["id"], known["code"])
    assert found["score"] > 0.5
    assert {"birth_date", "given_spelt"} <= set(found["reasons"])
    shown = {lang: world.here("amal", "--lang", lang, "add", "person", *words(AGAIN)) for lang in ("en", "ar")}
    assert "possible duplicates: 2" in shown["en"].out
    assert "قد يكون مسجّلاً من قبل" in shown["ar"].out
    other = world.json("amal", "add", "person", *words({**AHMAD, "given": "سامر", "birth_date": "1994-02-20"}))
    assert "duplicates" not in other  # a brother is none


def test_reasons_are_worded_in_both_languages(world: World) -> None:
    """`list` and `show` never print codes."""
    a, b = two(world)
    (pair,) = world.json("samar", "duplicates", "list")
    assert {pair["a"], pair["b"]} == {a, b}
    assert set(pair) >= {"a", "b", "score", "reasons"}
    for lang, why in (("en", "the same birth date"), ("ar", "تاريخ")):
        for command in (("list",), ("show", a, b)):
            said = world.here("samar", "--lang", lang, "duplicates", *command)
            assert (said.code, why in said.out) == (0, True), said
            assert "birth_date" not in said.out
            assert "_spelt" not in said.out
    shown = world.json("samar", "duplicates", "show", a, b)
    assert (shown["same"], shown["not_same"], shown["score"]) == (False, False, pair["score"])
    assert world.json("samar", "duplicates", "list", "--type", "household") == []
    assert world.json("samar", "duplicates", "list", "--unit", QRD) == []
    assert world.json("samar", "duplicates", "scan")["pairs"] == 1


@pytest.mark.parametrize("command", ["show", "merge", "split", "not-same"])
def test_invalid_arguments_change_nothing(world: World, command: str) -> None:
    """Unknown records, different types, one record twice, a missing argument: a clear error each."""
    a, b = two(world)
    home = world.json("samar", "add", "household", "--unit", JBL, *words({"family_name": "الحسن"}))["id"]
    before = world.json("samar", "status")["unsent"]
    assert world.json("samar", "duplicates", command, a, "ffffffff", code=5)["error"]["code"] == "no_record"
    assert world.json("samar", "duplicates", command, a, home, code=3)["error"]["code"] == "two_types"
    assert world.here("samar", "duplicates", command, a).code == 2
    if command != "show":
        assert world.json("samar", "duplicates", command, a, a, code=3)["error"]["code"] == "already_one"
    if command == "split":
        assert world.json("samar", "duplicates", command, a, b, code=3)["error"]["code"] == "not_one"
    assert world.json("samar", "duplicates", "list", "--type", "nonsense", code=3)["error"]["code"] == "unknown_type"
    assert world.json("samar", "status")["unsent"] == before
    assert len(world.json("samar", "duplicates", "list")) == 1


def test_only_supervisors_decide(world: World) -> None:
    """A caseworker sees pairs on the laptop, but cannot decide."""
    a = world.json("amal", "add", "person", *words(AHMAD))["id"]
    b = world.json("amal", "add", "person", *words(AGAIN))["id"]
    for command in ("merge", "not-same", "split"):
        told = world.json("amal", "duplicates", command, a, b, code=7)
        assert told["error"]["code"] == "role_refused"
    assert "same_as" not in world.json("amal", "show", b)


def test_a_caseworker_gets_only_a_hint_about_other_units(world: World) -> None:
    """No data of the other record anywhere; the supervisor sees both."""
    hidden = world.json("basim", "add", "person", "--unit", QRD, *words(AGAIN))
    world.start()
    world.json("basim", "sync")
    mine = world.json("amal", "add", "person", *words(AHMAD))
    assert "duplicates" not in mine
    told = world.json("amal", "sync")
    assert told["elsewhere"] == 1
    pages = [
        world.here("amal", *page) for page in (("show", mine["id"]), ("duplicates", "list"), ("history", mine["id"]))
    ]
    assert "May already be registered elsewhere; a supervisor has been asked." in pages[0].out
    for page in (*pages, world.here("amal", "show", mine["id"], "--json"), world.here("amal", "find", "Ahmad")):
        assert hidden["id"] not in page.out
        assert hidden["code"] not in page.out
        assert "Al-Hassan" not in page.out
        assert QRD not in page.out
    assert world.here("amal", "duplicates", "show", mine["id"], hidden["id"]).code == 5
    world.json("samar", "sync")
    assert len(world.json("samar", "duplicates", "list")) == 1


def test_contradicting_decisions_and_a_late_split(world: World) -> None:
    """One merges, one rejects: review has both; after a split, later additions to the merged record stay."""
    a, b = two(world, other_unit=QRD)
    world.start()
    world.json("huda", "join", world.invite("Huda", "supervisor", "LAT"))
    world.json("samar", "sync")
    world.json("huda", "sync")
    world.json("samar", "duplicates", "merge", a, b, "--note", "same booklet")
    world.json("huda", "duplicates", "not-same", a, b, "--note", "cousins")
    for who in ("samar", "huda", "samar"):
        world.json(who, "sync")
    for who in ("samar", "huda"):
        (open_one,) = world.json(who, "review", "list")
        assert (open_one["record"], open_one["field"]) == (b, "_same_as")
    world.json("huda", "review", "take", b, "_same_as", "--value", a)
    for who in ("huda", "samar"):
        world.json(who, "sync")
        assert world.json(who, "review", "list") == []
        assert world.json(who, "show", b)["same_as"] == a
    case = world.json("samar", "add", "case", *words({"person": b}))["id"]  # B's own, while it stands for A
    assert world.json("samar", "show", case)["fields"]["person"] == a
    assert world.json("samar", "duplicates", "split", a, b)["same"] is False
    for who in ("samar", "huda"):
        world.json(who, "sync")
        assert world.json(who, "show", case)["fields"]["person"] == b
        assert {one["id"] for one in world.json(who, "list", "person")} == {a, b}


@pytest.mark.parametrize(
    ("lang", "no", "yes", "asked", "why", "warned"),
    [
        ("en", "n", "y", ("Family name *: ", "Head of family *: ", "Family booklet no.: ", "First registered *: "),
         "the same family booklet", "Save anyway? (y/n)"),
        ("ar", "ل", "ن", ("اسم العائلة *: ", "رب الأسرة *: ", "رقم دفتر العائلة: ", "*: "),
         "دفتر", "هل تريد حفظه رغم ذلك؟ (ن/ل)"),
    ],
)  # fmt: skip
def test_line_prompts_warn_before_saving(
    world: World, lang: str, no: str, yes: str, asked: tuple[str, ...], why: str, warned: str
) -> None:
    """A family with the same booklet: the possible duplicate with reasons; no cancels, yes saves."""
    known = world.add("amal", "household", family_name="الحسن", family_book_no="12-34")
    for answer, kept in ((no, 1), (yes, 2)):
        talk = Talk(world, "amal", "add", "household", "--plain", "--lang", lang)
        talk.answer("): ", "")  # not looked for first
        for prompt, given in zip(asked, ("الحسن", "", "١٢-٣٤", "."), strict=True):
            talk.answer(prompt, given)
        shown = talk.answer(warned, answer)
        assert known["code"] in shown
        assert why in shown
        assert talk.end() == 0
        assert len(world.json("amal", "list", "household")) == kept
