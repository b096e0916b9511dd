"""Normalisation of text for storage: NFC, stripped, without control and invisible characters."""

import re
from unicodedata import is_normalized, normalize

# Patterns, compiled where a text is not plain: few commands ever see one.
# What a text never holds: controls, bidi marks and overrides, invisible characters, surrogates,
# private use, tags. Line breaks and spaces of other kinds become plain ones first.
_INVISIBLE = (
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e"
    "\u200b\u200d-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\ud800-\udfff\ue000-\uf8ff\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)
ZWNJ = "\u200c"  # between Persian and Kurdish letters it is spelling
_LETTER = "[\u0620-\u065f\u066e-\u06d3\u06d5-\u06dc\u06ee\u06ef\u06fa-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc]"
_STRAY = f"(?<!{_LETTER}){ZWNJ}|{ZWNJ}(?!{_LETTER})"
_BREAK = "\r\n?|[\x0b\x0c\x85\u2028\u2029]"
_SPACE = "[\t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]"
# Letters in the shapes of old printing software; one run of them is one word.
_PRESENTATION = "[\ufb50-\ufdff\ufe70-\ufefe]+"
_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹\u066b", "01234567890123456789.", "\u066c")


_ALIKE = str.maketrans("أإآٱةى", "ااااهي", "\u200c\u0640\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652\u0670")


def clean_text(text: str, *, lines: bool = False) -> str:
    """The text as it is stored, stripped; line breaks stay when `lines`, else become spaces."""
    if text.isprintable() and is_normalized("NFKC", text):
        return text.strip()  # nearly all: both checks are quick
    text = re.sub(_SPACE, " ", re.sub(_BREAK, "\n", text))
    if not lines:
        text = text.replace("\n", " ")
    text = re.sub(_INVISIBLE, "", text)
    if ZWNJ in text:
        text = re.sub(_STRAY, "", re.sub(f"{ZWNJ}+", ZWNJ, text))
    text = re.sub(_PRESENTATION, lambda run: normalize("NFKC", run[0]), text)
    return normalize("NFC", text).strip()


def plain_digits(text: str) -> str:
    """Arabic-Indic and Persian digits as 0-9, their decimal sign as a point, no thousands signs."""
    return text if text.isascii() else text.translate(_DIGITS)


def loose_text(text: str) -> str:
    """Return a word without distinctions of hasty typing: alef, ta marbuta and ya variants, vowel signs, repeated spaces."""
    return " ".join(text.translate(_ALIKE).split())
