"""Whole columns of plain text: the same stored values, and the same refusals, as cell by cell."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.schema import validate
from fieldsync.schema.model import Choice, Field
from fieldsync.schema.text_columns import text_column_reader

WORDS = {"en": "Thing", "ar": "شيء"}
NAME = Field("thing", "text", "latest", WORDS)
SHORT = Field("thing", "text", "latest", WORDS, max=5)

cells = st.one_of(
    st.none(),
    st.text(max_size=8),
    st.sampled_from(["", " ", "علي", " علي ", "Ali", "1.02E+10", "2026-06-15T16:40Z", "NULL", "n/a", "-", "—", "لا يوجد", "?", "محم?د", "&#1593;", "ظ\u0686"]),
    st.text("aeE+-.,0123456789 #?\\<(uNn", max_size=8),
)  # fmt: skip


@given(st.lists(cells, max_size=6), st.sampled_from([NAME, SHORT]))
@example(["علي", None, "2026-06-15"], NAME)
@example(["\ufe56\ufe56\ufe56"], NAME)
@example(["علي أحمد"], SHORT)
def test_a_column_is_read_as_its_cells_are(column: list[str | None], field: Field) -> None:
    """A column that is read at once has the values of its cells; a cell that would be refused is left to be read alone."""
    reader = text_column_reader(field)
    assert reader is not None
    found = reader(column)
    if found is None:
        return
    normal = validate.value_normaliser(field)
    assert found == [normal(cell) for cell in column]


def test_ordinary_columns_are_read_at_once() -> None:
    """Names, dates as text and empty cells need no look at each cell; ruined text is refused by its own reader."""
    reader = text_column_reader(NAME)
    assert reader is not None
    assert reader(["أحمد علي ", None, "", "سلمى"]) == ["أحمد علي", None, None, "سلمى"]
    assert reader(["2026-06-15T16:40:37Z", "2026-06-15"]) == ["2026-06-15T16:40:37Z", "2026-06-15"]
    assert reader(["علي", "????"]) is None
    with pytest.raises(errors.IllegalValue):
        validate.value_normaliser(NAME)("????")


@pytest.mark.parametrize(
    "field",
    [
        Field("thing", "note", "latest", WORDS), Field("thing", "text", "set", WORDS), Field("thing", "int", "latest", WORDS),
        Field("thing", "text", "latest", WORDS, pattern="[a-z]+"), Field("thing", "text", "latest", WORDS, min=2),
        Field("thing", "choice", "latest", WORDS, choices=(Choice("a", WORDS),)),
        Field("thing", "ref", "latest", WORDS, to=("person",), or_text=True),
    ],
)  # fmt: skip
def test_fields_with_rules_are_read_cell_by_cell(field: Field) -> None:
    """Only text without a rule of its own is read by the column."""
    assert text_column_reader(field) is None
