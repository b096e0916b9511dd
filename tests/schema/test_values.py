"""One value: the accepted input, and the stored form or the reason for refusal."""

import datetime as dt
import unicodedata
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.schema import values
from fieldsync.schema.model import TYPES, Choice, Field
from fieldsync.schema.text_cleaning import clean_text

WORDS = {"en": "Field", "ar": "حقل"}
SEX = (Choice("m", {"en": "Male", "ar": "ذكر"}), Choice("f", {"en": "Female", "ar": "أنثى"}))
SCALE = tuple(Choice(code, {"en": f"Level {code}", "ar": f"درجة {code}"}) for code in "123489")


def field(kind: str, **more: object) -> Field:
    """A field of that type."""
    return Field("thing", kind, "latest", WORDS, **more)  # type: ignore[arg-type]


def stored(kind: str, value: object, **more: object) -> object:
    """What becomes of a value in a field of that type."""
    return values.value_normaliser(field(kind, **more))(value)


def reason(kind: str, value: object, **more: object) -> object:
    """Why a value is refused in a field of that type."""
    with pytest.raises(errors.IllegalValue) as caught:
        stored(kind, value, **more)
    assert caught.value.facts["field"] == "thing"
    return caught.value.facts["reason"]


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind != "state"])
@pytest.mark.parametrize("nothing", [None, "", "   ", "\u200f", "\u00a0"])
def test_blanks_are_empty_in_any_type(kind: str, nothing: object) -> None:
    """Empty cells, spaces and invisible characters."""
    assert stored(kind, nothing, choices=SEX) is None


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("odd", [[], {}, ["a"], object(), b"a"])
def test_composite_input_is_refused_in_any_type(kind: str, odd: object) -> None:
    """Lists, tables and bytes never crash."""
    assert str(reason(kind, odd, choices=SEX)).startswith("not_")


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        ("  أحمد  ", "أحمد"),
        ("أحمد\u200f \u202eعلي\u202c", "أحمد علي"),
        ("a\x1b[31mb\x07", "a[31mb"),
        ("cafe\u0301", "café"),
        ("\ufefa\ufe8d", "لإا"),  # letters in their printed shapes
        ("tab\tand\u00a0space", "tab and space"),
        ("one\r\ntwo", "one two"),
        ("مُحَمَّد", "مُحَمَّد"),  # vowel signs are the writer's own
        ("سعيـد", "سعيـد"),
        ("\ud800x\ue000", "x"),
    ],
)
def test_text_is_kept_without_invisible_characters(given_text: str, kept: str) -> None:
    """Controls, bidi overrides and invisible characters are removed; letters, vowel signs and tatweel stay."""
    assert stored("text", given_text) == unicodedata.normalize("NFC", kept)


def test_a_note_keeps_its_lines() -> None:
    """Only a note may have line breaks; they become plain ones."""
    assert stored("note", "one\r\ntwo\u2028three\x00") == "one\ntwo\nthree"


def test_text_keeps_to_its_limits() -> None:
    """Lengths and patterns are those of the field; a huge text is refused before it is read."""
    assert reason("text", "abc", max=2) == "too_long"
    assert reason("text", "a", min=2) == "too_short"
    assert reason("text", "a1", pattern=r"[^\d]+") == "pattern"
    assert reason("text", "علي٣", pattern=r"[^\d]+") == "pattern"
    assert reason("text", "\u200b" * 100_000) == "too_long"
    assert reason("text", True) == "not_text"
    assert stored("text", 42) == "42"


@given(st.text())
def test_cleaning_is_idempotent(text: str) -> None:
    """Stored text is stored unchanged when it comes back in a form."""
    once = clean_text(text)
    assert clean_text(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Co", "Zl", "Zp") for c in once)
    assert not set(once) & set("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068")


@pytest.mark.parametrize(
    ("value", "kept"),
    [(5, 5), ("5", 5), ("٤٢", 42), ("۴۲", 42), (" -3 ", -3), (3.0, 3), ("3.0", 3), ("1٬000", 1000)],
)
def test_whole_numbers_come_in_any_digits(value: object, kept: int) -> None:
    """Arabic-Indic and Persian digits, spreadsheet floats and thousands signs are understood."""
    found = stored("int", value)
    assert found == kept
    assert type(found) is int


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("3.5", "not_whole"),
        ("three", "not_whole"),
        ("1_000", "not_whole"),
        ("1,000", "not_whole"),
        (True, "not_whole"),
        (2**63, "out_of_range"),
        ("9" * 25, "out_of_range"),
        (1e300, "not_whole"),
    ],
)
def test_invalid_whole_numbers_are_refused(value: object, why: str) -> None:
    """No silent rounding, no underscores, nothing over 64 bits."""
    assert reason("int", value) == why


def test_numbers_keep_to_the_range_of_their_field() -> None:
    """The limits are facts of the error, for the words at the edge."""
    with pytest.raises(errors.IllegalValue) as caught:
        stored("int", 41, min=1, max=40)
    assert caught.value.facts == {"field": "thing", "reason": "out_of_range", "min": 1, "max": 40}


@pytest.mark.parametrize(
    ("value", "kept"),
    [("3.50", 3.5), (3.0, 3), ("٣٫٥", 3.5), ("-0.0", 0), ("0012", 12), (".5", 0.5)],
)
def test_equal_numbers_have_one_form(value: object, kept: float) -> None:
    """3.0 and 3 are one value and the same bytes, so they do not conflict."""
    found = stored("number", value)
    assert found == kept
    assert type(found) is type(kept)
    assert str(found) == str(kept)


@pytest.mark.parametrize("value", ["nan", "inf", float("nan"), float("inf"), "1e5", "0x10", "1_0", "--1", "1.2.3", "²"])
def test_numbers_are_finite_and_plain(value: object) -> None:
    """Values that JSON or a database cannot hold are refused."""
    assert reason("number", value) in ("not_number", "out_of_range")


def test_money_is_not_negative_and_has_two_decimals() -> None:
    """An amount below nothing, or finer than a hundredth, is a mistake."""
    assert stored("money", "1500.25") == 1500.25
    assert reason("money", -1) == "out_of_range"
    assert reason("money", "1.005") == "too_precise"


@given(st.one_of(st.integers(), st.floats(), st.text(max_size=30), st.booleans()))
def test_normalisation_is_idempotent(value: object) -> None:
    """In every type, so an unchanged form is not a change."""
    for kind in TYPES:
        make = values.value_normaliser(field(kind, choices=SCALE))
        try:
            once = make(value)
        except errors.IllegalValue:
            continue
        again = make(once)
        assert again == once
        assert type(again) is type(once)
        assert once is None or isinstance(once, str | int | float)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("2026-03-05", "2026-03-05"),
        ("2026/3/5", "2026-03-05"),
        ("٢٠٢٦-٠٣-٠٥", "2026-03-05"),
        ("2026-03-05T10:00:00Z", "2026-03-05"),
        (dt.date(2026, 3, 5), "2026-03-05"),
        (dt.datetime(2026, 3, 5, 10, tzinfo=dt.UTC), "2026-03-05"),
        ("2024-02-29", "2024-02-29"),
    ],
)
def test_dates_are_stored_in_one_form(value: object, kept: str) -> None:
    """The year stands first; spreadsheets' dates and Arabic digits are understood."""
    assert stored("date", value) == kept


@pytest.mark.parametrize(
    "value",
    ["2025-02-29", "31/02/2026", "13/25/2026", "5/3/26", "2026-13-01", "soon", 20260305, "2026-W01-1", "20260305"],
)
def test_invalid_and_ambiguous_dates_are_refused(value: object) -> None:
    """An impossible day, month first, a two-digit year."""
    assert reason("date", value) == "not_date"


def test_dates_keep_to_their_range() -> None:
    """Limits are dates as well; those no calendar of ours needs are slips of the hand."""
    assert reason("date", "1066-10-14") == "out_of_range"
    assert reason("date", "2020-01-01", min="2021-01-01") == "out_of_range"
    assert stored("month", "2026/3") == "2026-03"
    assert stored("month", dt.date(2026, 3, 5)) == "2026-03"
    assert reason("month", "2026-13") == "not_month"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("0933 123 456", "+963933123456"),
        ("٠٩٣٣١٢٣٤٥٦", "+963933123456"),
        (933123456, "+963933123456"),
        ("00963933123456", "+963933123456"),
        ("963933123456", "+963933123456"),
        ("+963 (933) 123-456", "+963933123456"),
        ("+٩٦٣٩٣٣١٢٣٤٥٦", "+963933123456"),
        ("041 234567", "+96341234567"),
        ("+967712345678", "+967712345678"),
    ],
)
def test_phones_become_international(value: object, kept: str) -> None:
    """However it was written, a number is stored as it is dialled from anywhere."""
    assert stored("phone", value) == kept


@pytest.mark.parametrize(
    "value",
    ["123", "+", "+963933", "+9639331234567", "+0933123456", "home", "0933-12x", "+²³⁴" * 3],
)
def test_invalid_phone_numbers_are_refused(value: object) -> None:
    """Too short, too long for a mobile, or not a number."""
    assert reason("phone", value) == "not_phone"


def test_a_phone_belongs_to_the_country_of_its_field() -> None:
    """The same digits are another number in another country."""
    assert stored("phone", "0512345678", country="SA") == "+966512345678"
    assert stored("phone", "01012345678", country="EG") == "+201012345678"
    assert reason("phone", "0512345678", country="FR") == "not_phone"


def test_choices_are_read_by_code_or_label() -> None:
    """A column of labels imports as well as one of codes."""
    assert [stored("choice", v, choices=SEX) for v in ("f", "F", "Female", "أنثى", " female ")] == ["f"] * 5
    assert [stored("choice", v, choices=SCALE) for v in (3, "3", 3.0, "٣", "level 3")] == ["3"] * 5
    assert reason("choice", "x", choices=SEX) == "not_choice"
    assert reason("choice", True, choices=SEX) == "not_choice"


def test_an_ambiguous_label_is_refused() -> None:
    """Not guessed."""
    twins = (Choice("a", {"en": "Same", "ar": "أ"}), Choice("b", {"en": "Same", "ar": "ب"}))
    assert reason("choice", "same", choices=twins) == "not_choice"
    assert stored("choice", "ب", choices=twins) == "b"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (True, True),
        ("yes", True),
        ("NO", False),
        ("نعم", True),
        ("لا", False),
        (1, True),
        ("0", False),
    ],
)
def test_yes_and_no_come_in_many_words(value: object, kept: bool) -> None:
    """Both languages and what spreadsheets write."""
    assert stored("bool", value) is kept
    assert reason("bool", "maybe") == "not_bool"


def test_a_reference_is_a_record_id_in_one_form() -> None:
    """With or without dashes, in any case."""
    one = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")
    forms = (one, str(one), str(one).upper(), one.hex)
    assert [stored("ref", form, to=("person",)) for form in forms] == [str(one)] * 4
    assert reason("ref", "JBL-AK-42-X", to=("person",)) == "not_ref"


def test_an_identity_paper_is_kind_country_and_number() -> None:
    """Spaces, cases, digit scripts and ways to write the day of its expiry do not make two papers of one."""
    kinds = (Choice("national", WORDS), Choice("passport", WORDS))
    assert stored("paper", "National : sy : ٠٢٠ 1234 5678", choices=kinds) == "national:SY:02012345678"
    assert stored("paper", "passport:SY:n0012:2030/1/5", choices=kinds) == "passport:SY:N0012:2030-01-05"
    for until in ("5/1/2030", "٥/١/٢٠٣٠", "5 Jan 2030", "٥ كانون الثاني ٢٠٣٠", "05.01.2030", "5/1/2030 00:00:00"):
        assert stored("paper", f"passport:SY:n0012:{until}", choices=kinds) == "passport:SY:N0012:2030-01-05"
    for until in ("31/2/2030", "1/2030", "5/1/30"):
        assert reason("paper", f"passport:SY:12:{until}", choices=kinds) == "not_date"
    assert reason("paper", "licence:SY:12", choices=kinds) == "not_choice"
    assert reason("paper", "national:12345", choices=kinds) == "not_paper"
    assert reason("paper", "passport:SY:12:soon", choices=kinds) == "not_date"


def test_a_place_is_latitude_and_longitude_in_degrees() -> None:
    """As phones write it, with or without commas, altitude and accuracy."""
    assert stored("geopoint", "35.36, 35.92") == "35.36 35.92"
    assert stored("geopoint", "35.3600000 35.920 0 4.5") == "35.36 35.92 0 4.5"
    assert reason("geopoint", "95 10") == "out_of_range"
    assert reason("geopoint", "35") == "not_geopoint"
    assert reason("geopoint", "north south") == "not_geopoint"


def test_errors_never_contain_the_value() -> None:
    """Errors travel into logs; a phone number or a name must not."""
    private = "هدى-hidden-12345"
    for kind in TYPES:
        with pytest.raises(errors.IllegalValue) as caught:
            stored(kind, private, choices=SEX, max=3 if kind in ("text", "note") else None)
        assert "hidden" not in str(caught.value)
