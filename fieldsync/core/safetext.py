"""Text from records made harmless for display on a terminal and in a spreadsheet.

A name cannot move a supervisor's cursor, reverse the line or hide a letter: control characters are
written out, as ⟨U+202E⟩. Markup of the screen library is handled by the ui, which passes text, never markup.
"""

import re
import unicodedata

# Printable to Python, yet unseen: fillers, joiners and selectors that could hide a difference.
_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\U000e0000-\U000e0fff"
_HIDDEN = re.compile(f"[{_FILLERS}]")
_ACTING = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_SEEN_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u0890\u0891\u08e2")
_JOINED = re.compile(
    "(?<=[\u0620-\u065f\u066e-\u06d3\u06d5-\u06dc\u06ee\u06ef\u06fa-\u06ff\u0750-\u077f"
    "\u08a0-\u08ff])[\u200c\u200d](?=[\u0620-\u064a\u066e-\u06d3\u06d5\u06ee\u06ef\u06fa-\u06ff"
    "\u0750-\u077f\u08a0-\u08c9])"
)

_TRIGGERS = re.compile("[\\s\0-\x20\u200b-\u200f\ufeff]*[=+@\uff1d\uff0b\uff20\uff0d-]|[\t\r\n]")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


def safe_text(text: str, *, lines: bool = False) -> str:
    """Return text with all that a terminal would act on, or nobody would see, written as ⟨U+…⟩.

    Arabic stays whole, with its marks and with the joiners between its letters. With `lines`, line
    feeds stay too.
    """
    if text.isprintable() and (text.isascii() or not _HIDDEN.search(text)):
        return text
    joined = {found.start() for found in _JOINED.finditer(text)}
    return "".join(
        sign if at in joined or (lines and sign == "\n") or _is_seen(sign) else _escape(sign)
        for at, sign in enumerate(text)
    )


def csv_cell(text: str) -> str:
    """Return text that no spreadsheet reads as a formula: a leading ' is added if needed.

    Plain numbers and phone numbers stay as they are.
    """
    if _TRIGGERS.match(text) and not _NUMBER.fullmatch(text):
        return "'" + text
    return text


def _is_seen(sign: str) -> bool:
    if sign in _SEEN_FORMATS:
        return True
    return unicodedata.category(sign) not in _ACTING and not _HIDDEN.match(sign)


def _escape(sign: str) -> str:
    return f"⟨U+{ord(sign):04X}⟩"
