"""Output in the encoding of a terminal or pipe: characters that it lacks are replaced, and a note is printed once."""

import codecs
import sys
import unicodedata
from typing import TextIO

_HANDLER = "fieldsync.fitted"
_LIKE = str.maketrans(
    {
        "→": "->", "←": "<-", "…": "...", "—": "-", "–": "-", "‑": "-", "“": '"', "”": '"', "«": '"', "»": '"', "‘": "'", "’": "'",
        "✓": "+", "✔": "+", "✗": "x", "✘": "x", "⚠": "!", "•": "*", "·": ".", "▸": ">", "●": "*", "─": "-", "━": "-", "│": "|", "═": "=",
        "⟨": "<", "⟩": ">", "،": ",", "؛": ";", "؟": "?", "\u00a0": " ", "−": "-", "≥": ">=", "≤": "<=", "×": "x",
    }
)  # fmt: skip
_SILENT = ("Cf", "Mn")  # marks of direction, joiners, vowel signs


class LetterLoss:
    """Whether characters were lost in this command's output."""

    letters = False


def prepare_streams() -> LetterLoss:
    """Make standard output and error accept any text; losses are recorded. UTF-8 streams are unchanged."""
    loss = LetterLoss()
    codecs.register_error(_HANDLER, lambda fault: _fit_letters(fault, loss))
    for stream in (sys.stdout, sys.stderr):
        if not _is_unicode(stream) and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_HANDLER)
    return loss


def holds_arabic(stream: TextIO) -> bool:
    """Return whether Arabic can be written to a stream."""
    try:
        "عربي".encode(stream.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def _is_unicode(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().startswith("utf")


def _fit_letters(fault: UnicodeError, loss: LetterLoss) -> tuple[str, int]:
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    signs = fault.object[fault.start : fault.end]
    return "".join(_substitute(sign, fault.encoding, loss) for sign in signs), fault.end


def _substitute(sign: str, encoding: str, loss: LetterLoss) -> str:
    if unicodedata.category(sign) in _SILENT:
        return ""
    number = unicodedata.decimal(sign, None)
    made = str(number) if number is not None else unicodedata.normalize("NFKC", sign.translate(_LIKE))
    try:
        made.encode(encoding)
    except UnicodeEncodeError:
        loss.letters = loss.letters or unicodedata.category(sign).startswith("L")
        return "?"
    return made
