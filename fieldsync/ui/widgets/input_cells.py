"""Text inputs drawn cell by cell in the order that the terminal displays.

The library draws typed text in stored order: on a terminal without reordering, Arabic would appear reversed and unjoined.
"""

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from fieldsync.ui.terminal import bidi

Cells = list[tuple[str, Style | None]]
TURNED = frozenset(("visual", "isolates"))  # the forms in which lines begin at the right where the language does
_LAMS = "\ufedf\ufee0"  # at the beginning of letters that are joined, or within
_ALEFS = {"\ufe82": "\ufef5\ufef6", "\ufe84": "\ufef7\ufef8", "\ufe88": "\ufef9\ufefa", "\ufe8e": "\ufefb\ufefc"}


def place_line(strip: Strip, width: int, form: str, *, mirrored: bool) -> Strip:
    """Return a drawn line as this terminal and language want it; `mirrored` where lines begin at the right."""
    if form not in TURNED:
        return strip
    cells = _cells_of(strip)[: max(width, 0)]
    blank = cells[-1][1] if cells else None
    while cells and cells[-1] == (" ", blank):
        cells.pop()
    text = "".join(sign for sign, _ in cells)
    if bidi.has_arabic(text):
        if form == "visual":
            cells = _turn_cells(cells, blank, rtl=mirrored or bidi.begins_arabic(text))
        elif mirrored and len(cells) < width:  # what says that it is an Arabic line belongs to the cell before it
            cells = [(f" {bidi.RIGHT}", blank), *cells, (bidi.END, blank)]
    room = [(" ", blank)] * (width - sum(cell_len(sign) for sign, _ in cells))
    drawn = [*room, *cells] if mirrored else [*cells, *room]
    return Strip(Segment.simplify(Segment(sign, style) for sign, style in drawn), width)


def _cells_of(strip: Strip) -> Cells:
    """The signs of a line, each with the marks on it."""
    found: Cells = []
    for segment in strip:
        for sign in segment.text:
            if found and cell_len(sign) == 0:
                found[-1] = found[-1][0] + sign, found[-1][1]
            else:
                found.append((sign, segment.style))
    return found


def _turn_cells(cells: Cells, blank: Style | None, *, rtl: bool) -> Cells:
    """Cells in the order of the screen, from left to right, their letters joined; a lam and its alef share one."""
    letters = bidi.join_letters_one_by_one("".join(sign[0] for sign, _ in cells))
    made: Cells = []
    for letter, at in reversed(bidi.screen_signs(letters, rtl=rtl)):  # a lam comes before its alef
        sign, style = letter + cells[at][0][1:], cells[at][1]
        if made and letter in _ALEFS and made[-1][0][0] in _LAMS:
            lam, its_style = made.pop()
            sign = _ALEFS[letter][_LAMS.index(lam[0])] + lam[1:] + sign[1:]
            style = its_style if style == blank else style
        made.append((sign, style))
    return made[::-1]
