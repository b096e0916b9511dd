"""Damaged text is refused everywhere; values of earlier releases are still read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.core import names
from fieldsync.schema import damaged_text, validate
from fieldsync.schema.model import Choice, Field
from fieldsync.schema.text_cleaning import ZWNJ, clean_text
from fieldsync.schema.values import received_normaliser

WORDS = {"en": "Thing", "ar": "شيء"}


def field(type: str, merge: str = "latest", **more: object) -> Field:
    """A field of that type."""
    return Field("thing", type, merge, WORDS, **more)  # type: ignore[arg-type]


NAME, NOTE, PHONE = field("text"), field("note"), field("phone")


def _reason(of: Field, value: object) -> str | None:
    try:
        validate.value_normaliser(of)(value)
    except errors.IllegalValue as refused:
        return str(refused.facts["reason"])
    return None


@pytest.mark.parametrize("sent", ["علي", "محمد عبد الرحمن", "هدى ديب", "نەسرین", "می‌خواهم"])
@pytest.mark.parametrize("read", ["cp1252", "latin-1", "cp1256", "cp437", "mac_roman"])
def test_a_misdecoded_name_is_refused(sent: str, read: str) -> None:
    """UTF-8 read as any older encoding is refused; the correct name is accepted."""
    try:
        ruin = sent.encode().decode(read)
    except UnicodeDecodeError:
        ruin = "".join(bytes([one]).decode(read, "replace").replace("\ufffd", chr(one)) for one in sent.encode())
    assert _reason(NAME, sent) is None
    assert _reason(NAME, ruin) == "mojibake"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("????", "lost_letters"), ("?? ????", "lost_letters"), ("محم?د", "lost_letters"), ("عل\ufffd", "lost_letters"), ("?????-12", "lost_letters"),
        ("ãÍãÏ ÚÈÏ", "mojibake"), ("&#1593;&#1604;&#1610;", "mojibake"), ("\\u0639\\u0644\\u064a", "mojibake"), ("DÃ©jÃ\u00a0 vu", "mojibake"),
        ("1.02E+10", "scientific"), ("1,2e+17", "scientific"), ("7E-05", "scientific"), ("#REF!", "cell_fault"), ("#####", "cell_fault"),
        ("NULL", "no_value"), ("N/A", "no_value"), ("n/a", "no_value"), ("NaN", "no_value"), ("NA", "no_value"), ("(null)", "no_value"),
        ("—", "no_value"), ("لا يوجد", "no_value"), ("غير متوفر", "no_value"), ("لا يوجد لديه اسم", None), ("-5", None),
        ("علي", None), ("Who?", None), ("Déjà Ünal", None), ("12E", None), ("A-7E3", None), ("Null Ahmad", None), ("Nan", None), ("Naim", None),
        ("http://x.org/?a=b", None), ("فقط؟", None), ("ظ", None), ("عطا غنوم", None), ("#12", None), ("Ó", None), ("E-4 east", None),
    ],
)  # fmt: skip
def test_damaged_and_valid_names_are_distinguished(text: str, reason: str | None) -> None:
    """Each with its own reason, in names, in words for unknown records, and in set members."""
    assert _reason(NAME, text) == reason
    assert _reason(field("text", "set"), text) == reason
    assert _reason(field("ref", to=("person",), or_text=True), text) == reason
    assert received_normaliser(NAME)(text) == clean_text(text)  # an earlier release took it


def test_question_marks_in_notes_are_allowed() -> None:
    """A few are the writer's; a note of nothing else has lost its letters."""
    assert _reason(NOTE, "Is the father alive ??? Ask the mother.") is None
    assert _reason(NOTE, "???? ?? ????? ???") == "lost_letters"
    assert _reason(NOTE, "line\n\ufffd\ufffd") == "lost_letters"


def test_rounded_document_numbers_are_refused() -> None:
    """A number in a text column is complete or refused."""
    normal = validate.value_normaliser(NAME)
    assert [normal(one) for one in (7001, 7001.0, 29001011234567.0, 123456789012345678, 0.5)] == [
        "7001", "7001", "29001011234567", "123456789012345678", "0.5",
    ]  # fmt: skip
    assert [_reason(NAME, one) for one in (1.02e17, 1e300, float("inf"), 1e-07)] == ["digits_lost"] * 4
    paper = field("paper", "set", choices=(Choice("national", WORDS),))
    assert _reason(paper, "national:SY:1.02E10") == "not_paper"


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("+963 (0) 933 123 456", "+963933123456"), ("00963 0933123456", "+963933123456"), ("+963-0-933-123-456", "+963933123456"),
        ("٠٩٣٣١٢٣٤٥٦", "+963933123456"), ("011 222 3344", "+963112223344"), ("+20 (0)100 123 4567", "+201001234567"), ("+49 (0) 30 123456", "+4930123456"),
        ("+33 1 23 45 67 89", "+33123456789"), ("0791234567", None), ("0612345678", None), ("+963 791234567", None), ("093312345", None),
        ("+9639331234567", None), ("+96279123456", None), ("+962791234567", "+962791234567"), ("9.63944E+11", None), ("+905321234567", "+905321234567"),
    ],
)  # fmt: skip
def test_impossible_phone_numbers_are_refused(given: str, stored: str | None) -> None:
    """A trunk 0 after the country code is removed; numbers outside the country's plan are refused."""
    assert _reason(PHONE, given) == (None if stored else "not_phone")
    if stored:
        assert validate.value_normaliser(PHONE)(given) == stored
        assert validate.value_normaliser(PHONE)(stored) == stored
    assert received_normaliser(PHONE)("+963791234567") == "+963791234567"  # as an earlier release stored it


def test_joiners_are_spelling_in_persian_and_kurdish() -> None:
    """A zero-width non-joiner between letters is kept, elsewhere removed; search and comparison ignore it."""
    assert clean_text("می‌خواهم") == "می‌خواهم"
    assert clean_text(f"{ZWNJ}علی{ZWNJ}{ZWNJ}زاده{ZWNJ} {ZWNJ}Ali{ZWNJ}son") == f"علی{ZWNJ}زاده Alison"
    assert names.fold_text("علی‌زاده") == names.fold_text("علیزاده")
    assert names.strip_invisible(f"علی{ZWNJ}زاده") == names.strip_invisible("علیزاده")
    assert not damaged_text.means_nothing("می‌خواهم")


@given(st.text(st.sampled_from("?#\\Nn(<u7Ee+-. aé\ufffd─طظعغپ،؟‌€ÿ†محمد")))
def test_the_fast_check_agrees_with_the_full_one(text: str) -> None:
    """Text accepted by the fast check is accepted by the full one."""
    looked_at = text[:1] in damaged_text.SUSPECT_BEGINS or damaged_text.has_suspect_sign(text)
    assert looked_at or damaged_text.damage_reason(text) is None
    assert text.strip()[:1] in damaged_text.NOTHING_BEGINS or not damaged_text.means_nothing(text.strip())
