"""The sides of a question next to each other in boxes of equal height, with the surrounding record."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from fieldsync.ui.review.questions import QuestionSide, ReviewQuestion
from fieldsync.ui.widgets.line_writer import ACCENT, QUIET, WARN, LinePart, LineWriter

_LEAST = 24  # cells of a box
_FRAME, _CHOSEN = "#4a5a6b", ACCENT
_NUMBERED = 4  # cells of a side's number and what parts its name from the frame
_MOST = 7  # lines of a value
_LABEL = 22  # cells for a label of the record


def draw_sides(pen: LineWriter, matter: ReviewQuestion, width: int, chosen: int) -> list[Text]:
    """Return boxes in as many rows as the width asks for."""
    in_row = max(1, min(len(matter.sides), (width + 1) // (_LEAST + 1)))
    each = (width + 1) // in_row - 1
    lines: list[Text] = []
    for start in range(0, len(matter.sides), in_row):
        row = list(enumerate(matter.sides))[start : start + in_row]
        insides = [_side_lines(pen, side, each - 4) for _, side in row]
        high = max(map(len, insides))
        boxes = [
            _side_box(pen, number, side, inside, high, each, chosen=number == chosen)
            for (number, side), inside in zip(row, insides, strict=True)
        ]
        for cells in zip(*boxes, strict=True):
            line = pen.join_cells(cells, between=" ")
            room = width - line.cell_len
            if pen.mirrored:
                line.pad_left(max(0, room))
            lines.append(line)
    return lines


def _side_lines(pen: LineWriter, side: QuestionSide, width: int) -> list[Text]:
    found = [] if _name_fits(side, width) else pen.wrap_parts(side.name, width, style="bold")
    found += pen.wrap_parts(side.value, width, most=_MOST)
    for line in side.source:
        found += pen.wrap_parts(line, width, most=2)
    return found


def _name_fits(side: QuestionSide, width: int) -> bool:
    """Return whether a side's name fits into the frame of a box that is `width` cells inside."""
    return cell_len(side.name) <= width - _NUMBERED


def _side_box(
    pen: LineWriter, number: int, side: QuestionSide, inside: list[Text], high: int, width: int, *, chosen: bool
) -> list[Text]:
    frame = _CHOSEN if chosen else _FRAME
    rule, corners, wall = ("━", "┏┓┗┛", "┃") if chosen else ("─", "╭╮╰╯", "│")
    title = [LinePart(f"{number} " if side.can_be_taken else "", f"bold {ACCENT}")]
    title += [LinePart(side.name, "bold")] if _name_fits(side, width - 4) else []
    named = pen.write_piece(title, width - 6)
    rest = Text(rule * (width - 5 - named.cell_len), frame)
    left, right = Text(corners[0], frame), Text(corners[1], frame)
    first, last = (right, left) if pen.mirrored else (left, right)
    outer = [first, Text(rule, frame), Text(" "), named, Text(" "), rest, last]
    top = pen.join_cells(outer)
    lines = [top]
    for at in range(high):
        body = inside[at] if at < len(inside) else Text(" " * (width - 4))
        lines.append(Text(wall + " ", frame).append_text(_own_style(body)).append(" " + wall, frame))
    lines.append(Text(corners[2] + rule * (width - 2) + corners[3], frame))
    return lines


def _own_style(line: Text) -> Text:
    """Return a line with its style on its letters, so that surrounding text keeps its own."""
    made = Text("")
    made.append_text(line)
    return made


def draw_about(pen: LineWriter, about: Sequence[tuple[str, str, bool]], width: int) -> list[Text]:
    """Return the record around: label and value, one field a line, in two columns where there is room."""
    columns = 2 if width >= 100 else 1
    each = (width - 2 * (columns - 1)) // columns
    label = min(_LABEL, each // 3)
    cells: list[list[Text]] = []
    for name, value, open_ in about:
        style = WARN if open_ else ""
        named = pen.write_line(name, label, style=QUIET)
        written = pen.wrap_parts(
            [LinePart("⚠ ", WARN), LinePart(value, style)] if open_ else [LinePart(value, style)],
            each - label - 1,
            most=3,
        )
        for at, line in enumerate(written or [pen.write_line("", each - label - 1)]):
            cells.append([named if at == 0 else Text(" " * label), line])
    rows = [pen.join_cells(pair, between=" ") for pair in cells]
    if columns == 1:
        return rows
    half = (len(rows) + 1) // 2
    blank = Text(" " * each)
    return [
        pen.join_cells([rows[at], rows[at + half] if at + half < len(rows) else blank], between="  ")
        for at in range(half)
    ]
