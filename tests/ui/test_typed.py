"""What is typed in Arabic stands as it is read: joined and from the right where the terminal turns nothing, told to one that does."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from fieldsync.ui.terminal import bidi
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets.input_cells import place_line
from fieldsync.ui.widgets.inputs import TypedLine, TypedText
from fieldsync.ui.widgets.line_writer import LineWriter
from tests.conftest import Cast
from tests.ui.screens import assert_looks
from tests.ui.test_forms import Person, fill, new

CURSOR = Style(reverse=True)
BLANK = Style(bold=True)
WIDE = 40


def drawn(text: str, *, at: int | None = None, width: int = WIDE) -> Strip:
    """A line as the library draws it: stored order, a cursor, blanks to the end."""
    cells = [Segment(sign, CURSOR if place == at else BLANK) for place, sign in enumerate(text + " ")]
    return Strip([*cells, Segment(" " * width, BLANK)]).crop(0, width)


def cursor(strip: Strip) -> int:
    """In which cell the cursor is."""
    before = 0
    for segment in strip:
        if segment.style == CURSOR:
            return before
        before += cell_len(segment.text)
    raise AssertionError(strip)


@pytest.mark.parametrize(
    "text",
    ["درويش", "لا إله إلا هو", "الأحمد والآخرون", "شارع (العمارة) 12-5، ط 3", "محمّد ABC علي", "2026-11-25 زيارة"],
)
def test_a_line_that_is_typed_reads_like_one_that_is_shown(text: str) -> None:
    """The same letters in the same places as everywhere else on the screen."""
    pen = LineWriter(Tables("ar"))
    pen.out.form = "visual"
    assert place_line(drawn(text), WIDE, "visual", mirrored=True).text == pen.write_line(text, WIDE).plain


def test_the_cursor_stands_where_the_next_letter_comes() -> None:
    """Behind the last letter is to its left; on a lam and its alef, which share a cell, it is on both."""
    assert cursor(place_line(drawn("علي", at=3), WIDE, "visual", mirrored=True)) == WIDE - 4
    assert cursor(place_line(drawn("علي", at=0), WIDE, "visual", mirrored=True)) == WIDE - 1
    assert [cursor(place_line(drawn("بلا", at=at), WIDE, "visual", mirrored=True)) for at in range(3)] == [39, 38, 38]
    assert cursor(place_line(drawn("2026", at=4), WIDE, "visual", mirrored=True)) == WIDE - 1
    assert cursor(place_line(drawn("علي", at=3), WIDE, "visual", mirrored=False)) == 0


def test_a_terminal_that_turns_lines_is_told() -> None:
    """The sign stands behind a blank, which VTE takes to the cell before; what is not Arabic has none; plain stays as it was."""
    shown = place_line(drawn("علي"), WIDE, "isolates", mirrored=True).text
    assert shown == " " * (WIDE - 3) + bidi.RIGHT + "علي" + bidi.END
    assert place_line(drawn("0944"), WIDE, "isolates", mirrored=True).text == " " * (WIDE - 4) + "0944"
    assert place_line(drawn("علي"), WIDE, "plain", mirrored=True).text == drawn("علي").text


@given(
    st.text(
        st.one_of(
            st.sampled_from("اأإلأبي 12-/()[]،aB\u200f\u2067\u2069\u202e\u064b\u0651\u200d\u2029"), st.characters()
        )
    ),
    st.booleans(),
    st.sampled_from(["visual", "isolates"]),
)
@example("\u2068ل\u2069ا", True, "visual")
def test_whatever_is_pasted_is_drawn(text: str, mirrored: bool, form: str) -> None:
    """Any text fills exactly the width there is, and every letter is there."""
    strip = place_line(drawn(text, at=0), WIDE, form, mirrored=mirrored)
    assert sum(cell_len(segment.text) for segment in strip) in (WIDE, WIDE + 1)  # a wide sign may stand at the edge
    if text.isascii() and text.isprintable() and text.strip():
        assert text.strip()[:WIDE] in strip.text


def test_a_form_in_arabic_where_the_terminal_turns_nothing(people: Cast) -> None:
    """Names stand beside their labels, joined; the arrows go where they point; what is saved is what was typed."""
    app = new(people.amal, "household", lang="ar")
    app.out.form = "visual"

    async def steps(person: Person) -> None:
        await person.type("family_name", "الأسد")
        line = person.question("family_name").input_line
        assert isinstance(line, TypedLine)
        assert line.cursor_position == 5
        await person.press("right", "right")
        assert line.cursor_position == 3
        await person.press("left", "ع")
        assert line.value == "الأسعد"
        await person.type("phones", "0944123456")
        await person.type("location", "لاذقية")
        assert_looks(app, "form-visual-ar")
        await person.press("ctrl+s")

    record = fill(app, steps)
    assert record is not None


def test_a_note_in_arabic_where_the_terminal_turns_nothing(people: Cast) -> None:
    """Several lines, each turned."""
    app = new(people.amal, "case", lang="ar")
    app.out.form = "visual"

    async def steps(person: Person) -> None:
        await person.type("notes", "زرنا", "enter", *"الأسرة")
        assert isinstance(person.question("notes").input_line, TypedText)
        assert "ﺎﻧﺭﺯ" in person.seen
        assert "ﺓﺮﺳﻷﺍ" in person.seen
        assert person.question("notes").line_text == "زرنا\nالأسرة"

    fill(app, steps)


def test_a_number_behind_a_time_is_no_part_of_it() -> None:
    """Kept until a time: so many answers. In Arabic the number comes after the colon, which is to its right."""
    shown = bidi.screen_line("حتى 2026-11-26 03:13: 5 من", "visual", rtl=True)
    assert shown == "ﻦﻣ 5 :2026-11-26 03:13 ﻰﺘﺣ"
