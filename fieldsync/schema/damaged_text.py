"""Detection of text damaged by other programs: lost letters, numbers rounded by a spreadsheet, placeholders for nothing.

The reader of values refuses such text from the keyboard and from files. Values saved by earlier releases are still read and synced.
"""

import re
import unicodedata

# What a spreadsheet shows in place of a value.
FAULTS = frozenset({"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#GETTING_DATA", "#SPILL!"})
_NOTHING = frozenset({"NULL", "null", "(null)", "(NULL)", "<null>", "<NULL>", "\\N", "NaN", "nan", "undefined"})
_NOT_AVAILABLE = frozenset({"n/a", "n.a.", "n\\a"})  # in any case
DASHES = frozenset({"-", "--", "---", "–", "—", "_", "__", "ـ"})
NO_ANSWER = frozenset(
    {"لا يوجد", "لايوجد", "لا توجد", "لاتوجد", "لا شيء", "لاشيء", "لا شئ", "لاشئ", "غير متوفر", "غير متوفرة", "غير متوفره",
     "غير متاح", "غير متاحة", "غير متاحه", "لا ينطبق"}
)  # fmt: skip
"""Answers that there is none, which may be meant in a note and are no name or number."""
STAND_INS = DASHES | NO_ANSWER
NOTHING_BEGINS = frozenset("Nn(<\\u-–—_ـلغ")
"""With what a word for nothing begins."""
# what stands behind an Arabic letter where UTF-8 was read as Windows' Arabic
_TRAIL = (
    "\u0080-\u00ff\u200c-\u203a\u20ac\u2122\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u060c\u061b\u061f\u0679\u067e\u0686"
    "\u0688\u0691\u0698\u06a9\u06af\u06ba\u06be"
)
_SUSPECT = re.compile(f"[?\ufffd\u0080-\u00ff\u2500-\u257f#\\\\]|^[Nn(<u]|[\u0637-\u063a][{_TRAIL}]")
NUMBER_BEGINS = frozenset("+-0123456789")
WORD_BEGINS = frozenset("Nn(<u")
SUSPECT_BEGINS = NUMBER_BEGINS | WORD_BEGINS
"""With what text begins that has to be looked at; other text, unless `has_suspect_sign` finds something."""
_SUSPECT_SIGN = re.compile(f"[?\ufffd\u2500-\u257f#\\\\{_TRAIL}]").search
_LOST = re.compile(r"(?<!\S)\?{2,}(?!\S)|(?<![\w?!؟])\?{3,}|[^\W\d_]\?+[^\W\d_]")
_MARKS = re.compile(r"(?<!\S)\?{2,}(?!\S)|(?<![\w?!؟])\?{3,}")
_SCIENTIFIC = re.compile(r"[+-]?\d(?:[.,]\d+)?[eE][+-]\d{1,3}", re.ASCII)
_WIDTH = re.compile(r"#{3,}")
_ESCAPED = re.compile(r"&#x?[0-9a-fA-F]{2,6};|\\u[0-9a-fA-F]{4}")
_BOXES = re.compile("[^\\W\\d_][\u2500-\u257f]|[\u2500-\u257f][^\\W\\d_]")
_WESTERN_ONES = ("cp1252", "latin-1")
_READ_AS = (*_WESTERN_ONES, "cp1256", "cp437", "cp850", "mac_roman", "iso8859-6")
_FEWEST = 2  # letters of which two bytes each were read as two letters
_WESTERN = re.compile("[\u00c0-\u00ff]")
_SHORTEST = 3  # letters of a name that is taken for Arabic of older programs


def has_suspect_sign(text: str) -> bool:
    """Return whether a text has a sign that ruined text has: nearly none does, and to look for single signs is quick."""
    if text.isascii():
        return "?" in text or "#" in text or "\\" in text
    return _SUSPECT_SIGN(text) is not None


def means_nothing(text: str) -> bool:
    """Return whether a cell's word means empty, whatever its field: n/a, NULL, NaN, a dash."""
    return text in _NOTHING or text in DASHES or text.casefold() in _NOT_AVAILABLE


def damage_reason(text: str, *, lines: bool = False) -> str | None:
    """Return a reason code if a text is damaged; in several `lines` a few question marks are allowed."""
    if text[:1] in NUMBER_BEGINS and _SCIENTIFIC.fullmatch(text):
        return "scientific"
    if (text[:1] not in WORD_BEGINS and not has_suspect_sign(text)) or not _SUSPECT.search(text):
        return None
    if means_nothing(text) or text == "NA":
        return "no_value"
    if text in FAULTS or _WIDTH.fullmatch(text):
        return "cell_fault"
    if "\ufffd" in text or _is_lost(text, lines=lines):
        return "lost_letters"
    if _ESCAPED.search(text) or _is_misread(text):
        return "mojibake"
    return None


def _is_lost(text: str, *, lines: bool) -> bool:
    if "?" not in text or "://" in text:
        return False
    if not lines:
        return _LOST.search(text) is not None
    letters = len("".join(text.split()))
    return sum(map(len, _MARKS.findall(text))) * 4 > letters  # a note may well ask: ???


def _is_misread(text: str) -> bool:
    """Return whether text was written in one encoding and read in another."""
    if text.isascii():
        return False
    if _BOXES.search(text):
        return True
    if any(
        _is_other(part, encoding) for encoding in _READ_AS for part in {text, *text.split(" ")} if not part.isascii()
    ):
        return True
    letters = [sign for sign in text if sign.isalpha()]
    if len(letters) >= _SHORTEST and all(map(_WESTERN.fullmatch, letters)):
        meant = text.encode("cp1252", "replace").decode("cp1256", "replace")
        return all("ARABIC" in unicodedata.name(sign, "") for sign in meant if sign.isalpha())
    return False


def _is_other(text: str, encoding: str) -> bool:
    """Return whether text makes sense as UTF-8 that was read in this encoding."""
    try:
        meant = _encode_text(text, encoding).decode()
    except (UnicodeEncodeError, UnicodeDecodeError):
        return False
    if encoding in _WESTERN_ONES:
        return True  # no text that was meant so is UTF-8 by chance
    letters = [sign for sign in meant if sign.isalpha() and not sign.isascii()]
    return len(letters) >= _FEWEST and all("\u0600" <= sign <= "\u06ff" for sign in letters)


def _encode_text(text: str, encoding: str) -> bytes:
    """A text's bytes; of cp1252 also those five that programs pass through though they mean nothing there."""
    if encoding != "cp1252":
        return text.encode(encoding)
    return b"".join(sign.encode("latin-1") if "\x80" <= sign <= "\x9f" else sign.encode(encoding) for sign in text)
