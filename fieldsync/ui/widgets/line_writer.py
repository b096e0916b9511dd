"""Text on a full screen: made safe, cut to the width, and reordered for terminals that do not reorder lines.

Lines are cut before they are reordered, as the displayed order is not the reading order.
"""

import shutil
from collections.abc import Iterable
from difflib import SequenceMatcher
from io import StringIO
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from fieldsync.core import safetext
from fieldsync.ui.terminal import bidi
from fieldsync.ui.terminal.messages import SafeText
from fieldsync.ui.views.tables import Tables

QUIET, ACCENT, WARN, GOOD, BAD = "#8b98a8", "#7cc4ff", "#e8b95a", "#93d39a", "#ff8f80"
CHANGED = "bold underline #ffd580"
_console = Console(file=StringIO(), color_system=None, markup=False, emoji=False, highlight=False)


class LinePart(NamedTuple):
    """A piece of a line with its style. A Shown text is its own piece: within a longer text it is no longer recognised."""

    text: str
    style: str = ""


Parts = str | Iterable[LinePart]


class LineWriter:
    """Writes for one person on one terminal."""

    def __init__(self, out: Tables) -> None:
        self.out = out
        self.mirrored = out.lang == "ar"  # lines begin on the right

    def wrap_parts(self, parts: Parts, width: int, *, most: int = 0, style: str = "") -> list[Text]:
        """Return text as lines of `width` cells; with `most`, the last line ends in … if there is more."""
        found = list(self._join_parts(parts, style, lines=True).wrap(_console, max(width, 1), tab_size=4))
        if most and len(found) > most:
            found = found[:most]
            found[-1].rstrip()
            found[-1].truncate(max(width - 1, 0))
            found[-1].append("…")
        return [self._place_line(line, width) for line in found]

    def write_line(self, parts: Parts, width: int, *, style: str = "") -> Text:
        """Return text as one line of `width` cells, cut with … where it is longer."""
        text = self._join_parts(parts, style, lines=False)
        text.truncate(max(width, 1), overflow="ellipsis")
        return self._place_line(text, width)

    def write_piece(self, parts: Parts, most: int, *, style: str = "") -> Text:
        """Return text as one line just as wide as it is, or cut to fit."""
        return self.write_line(parts, min(most, self._join_parts(parts, style, lines=False).cell_len), style=style)

    def loading_line(self) -> str:
        """Return what a terminal shows until a screen is drawn."""
        return self.write_line(" " + self.out.phrase("screen_loading"), shutil.get_terminal_size().columns).plain

    def _place_line(self, line: Text, width: int) -> Text:
        """Turn a line if this terminal needs that, and let it begin where the language does."""
        line.rstrip()
        plain = line.plain
        shown = bidi.screen_line(plain, self.out.form, rtl=self.mirrored)
        if shown != plain:
            at = shown.find(plain)
            if at >= 0:  # only controls round it
                line = Text(shown[:at]) + line + Text(shown[at + len(plain) :])
            else:  # letters change places: a style that stood on a part of the line stands on all of it
                styles = [str(line.style), *(str(span.style) for span in line.spans)]
                line = Text(shown, " ".join(dict.fromkeys(filter(None, styles))))
        room = max(0, width - line.cell_len)
        if self.mirrored:
            line.pad_left(room)
        else:
            line.pad_right(room)
        return line

    def _join_parts(self, parts: Parts, style: str, *, lines: bool) -> Text:
        """Put parts together, safe; letters that we join ourselves are joined before anything is measured."""
        text = Text(style=style)
        for part in [LinePart(parts)] if isinstance(parts, str) else parts:
            safe = (
                bidi.without_isolates(part.text)
                if isinstance(part.text, SafeText)
                else safetext.safe_text(part.text, lines=lines)
            )
            text.append(bidi.join_letters(safe) if self.out.form == "visual" else safe, part.style or None)
        return text

    def join_cells(self, cells: Iterable[Text], *, between: str = "") -> Text:
        """Return cells in a row, the first where the language begins."""
        ordered = list(cells)
        return Text(between).join(reversed(ordered) if self.mirrored else ordered)


def mark_changes(old: str, new: str, style: str = "") -> list[LinePart]:
    """Return the new text in parts, those words marked that are not in the old one."""
    before, after = str(old).split(" "), str(new).split(" ")
    parts: list[LinePart] = []
    for tag, _, _, start, end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if start < end:
            if parts:
                parts.append(LinePart(" ", style))
            words = SafeText(" ".join(after[start:end]))
            parts.append(LinePart(words, CHANGED if tag != "equal" else style))
    return parts
