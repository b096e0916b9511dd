"""Text from records on a screen: control characters are harmless, and Arabic stays intact."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync.core import safetext

ARABIC = st.text("ابتثجحخدذرزسشصضطظعغفقكلمنهويءآأؤإئىةپچگ ًٌٍَُِّْٰـ٠١٢٣،؟", max_size=40)
NASTY = st.text(
    st.sampled_from("\x1b\x07\x9b\r\n\t\x00\x7f\u200b\u200c\u200d\u202e\u2066\u2069\u061c\ufeffaعَ[]31m")
    | st.characters(),
    max_size=30,
)
NEVER = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff"
    "\ue000-\uf8ff\ufff9-\uffff\U000e0000-\U0010ffff]"
)


@given(NASTY)
def test_control_characters_are_removed(text: str):
    """No control, bidi override, separator, tag, surrogate or private character survives."""
    shown = safetext.safe_text(text)
    assert not NEVER.search(shown)
    assert all(unicodedata.category(sign) not in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"} for sign in shown)


@given(NASTY)
def test_only_line_feeds_pass_in_multiline_text(text: str):
    """A note keeps its lines; all other control characters are written out."""
    assert not NEVER.search(safetext.safe_text(text, lines=True).replace("\n", ""))


@given(ARABIC)
def test_ordinary_arabic_is_untouched(text: str):
    """Letters, short vowels, shadda, tatweel, digits and punctuation stay exactly as they are."""
    assert safetext.safe_text(text) == text


@given(NASTY)
def test_making_text_safe_is_idempotent(text: str):
    """Safe text stays the same."""
    once = safetext.safe_text(text)
    assert safetext.safe_text(once) == once


@given(NASTY)
def test_safe_text_is_reversible(text: str):
    """Nothing is lost: the original can be restored from the safe text."""
    shown = safetext.safe_text(text)
    back = re.sub("⟨U[+]([0-9A-F]{4,6})⟩", lambda found: chr(int(found[1], 16)), shown)
    assert back == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("أمل\x1b[2J", "أمل⟨U+001B⟩[2J"),
        ("\u202eلمأ", "⟨U+202E⟩لمأ"),
        ("a\u2066b\u2069", "a⟨U+2066⟩b⟨U+2069⟩"),
        ("title\x9d0;x\x07", "title⟨U+009D⟩0;x⟨U+0007⟩"),
        ("one\ntwo", "one⟨U+000A⟩two"),
        ("Ba\u200bsim", "Ba⟨U+200B⟩sim"),
        ("Ba\u200dsim", "Ba⟨U+200D⟩sim"),
        ("x\U000e0041", "x⟨U+E0041⟩"),
        ("x\ud800", "x⟨U+D800⟩"),
        ("\ufeffx\ue000", "⟨U+FEFF⟩x⟨U+E000⟩"),
        ("a\u3164b", "a⟨U+3164⟩b"),
        ("مي\u200cروم", "مي\u200cروم"),
        ("ميَ\u200dروم", "ميَ\u200dروم"),
        ("م\u200c\u200cر", "م⟨U+200C⟩⟨U+200C⟩ر"),
        ("م\u200c", "م⟨U+200C⟩"),
        ("caf\u00e9\u00a0😀", "caf\u00e9\u00a0😀"),
    ],
)
def test_examples_of_safe_text(text: str, shown: str):
    """Attacks are written out; a joiner between two Arabic letters is spelling and stays."""
    assert safetext.safe_text(text) == shown


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1-1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n", " =1", "\u00a0=1", "\ufeff=1", "＝1",
     '-"x"', "+963-944-1", "--1", "-", "=cmd|' /C calc'!A0"],
)  # fmt: skip
def test_a_formula_is_defused(cell: str):
    """Whatever a spreadsheet could calculate is marked as text by a leading apostrophe."""
    assert safetext.csv_cell(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["", "أمل", "-3", "+963944123456", "-3.5", "12", "a=b", "2026-10-01", "x\n=y"])
def test_ordinary_cells_stay(cell: str):
    """Words, numbers, phone numbers and dates are exported as they are."""
    assert safetext.csv_cell(cell) == cell


@given(st.text())
def test_no_exported_cell_starts_a_formula(text: str):
    """Whatever the text, the cell begins with no trigger unless it is a plain number."""
    cell = safetext.csv_cell(text)
    assert cell[:1] not in {"=", "+", "-", "@", "\t", "\r"} or re.fullmatch("[+-]?[0-9.]+", cell)
    assert cell in {text, "'" + text}
