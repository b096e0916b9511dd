"""What is written is what a bidi terminal, or one that knows nothing of it, then shows in the right order."""

import io
import re
import tomllib
import unicodedata
from pathlib import Path

import pytest
from bidi import get_display
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from fieldsync.casework.eligibility import Eligibility
from fieldsync.review.duplicate_pairs import SimilarRecord
from fieldsync.schema import load
from fieldsync.ui.terminal import bidi
from fieldsync.ui.views import eligibility_view
from fieldsync.ui.views.tables import Tables
from tests.conftest import Cast

NAMES = st.sampled_from(["محمد أحمد", "فاطمة", "لا إله", "مُحَمَّد", "جبلة", "الحالة الاجتماعية"])
CODES = st.sampled_from(["2026-11-02", "JBL-B-1-S5", "+963944123456", "LAT/JBL", "2026-11-02 15:04", "B:12"])
_CONTROLS = dict.fromkeys(map(ord, "\u2066\u2067\u2068\u2069\u200e\u200f"))


def stored(text: str) -> str:
    """Return letters as they are stored, whatever form they were written in, without marks, last one first."""
    letters = (unicodedata.normalize("NFKC", sign)[::-1] if "\ufb50" <= sign <= "\ufefc" else sign for sign in text)
    return "".join(sign for sign in "".join(letters) if not unicodedata.combining(sign))[::-1]


@given(parts=st.lists(st.tuples(NAMES, CODES), min_size=1, max_size=4), rtl=st.booleans())
def test_a_bidi_terminal_shows_no_code_turned_round(parts: list[tuple[str, str]], rtl: bool) -> None:
    """The model of such a terminal: each date, code and phone can be read off its line from left to right."""
    line = "  ".join(f"{bidi.isolate_value(name, 'isolates')}: {code}" for name, code in parts)
    shown = get_display(bidi.write_line(line, "isolates", rtl=rtl), base_dir="R" if rtl else "L").translate(_CONTROLS)
    assert all(code in shown for _, code in parts)


@given(parts=st.lists(st.tuples(NAMES, CODES), min_size=1, max_size=4), rtl=st.booleans())
def test_a_terminal_that_turns_nothing_gets_it_turned(parts: list[tuple[str, str]], rtl: bool) -> None:
    """Visual: names stand backwards and joined, codes forwards, no control is left, and an Arabic line begins at the right."""
    line = " · ".join(f"{bidi.isolate_value(name, 'visual')} {code}" for name, code in parts)
    shown = bidi.write_line(line, "visual", rtl=rtl)
    assert shown == shown.translate(_CONTROLS)
    assert all(code in shown for _, code in parts)
    backwards = stored(shown)
    assert all(stored(name)[::-1] in backwards for name, _ in parts)
    if rtl:
        assert backwards.startswith(stored(parts[0][0])[::-1])


def test_a_mark_stays_behind_its_letter() -> None:
    """A combining sign is drawn on what stands before it, on every terminal."""
    shown = bidi.write_line("مُحَمَّد", "visual", rtl=True)
    assert not unicodedata.combining(shown[0])
    assert unicodedata.combining(shown[-1])  # the first letter's damma: the line ends with it at the right


@pytest.mark.parametrize("pair", ["()", "[]", "«»"])
def test_brackets_embrace_what_they_embraced(pair: str) -> None:
    """Seen from the left, a bracket opens before it closes, whether Arabic or Latin is inside."""
    for inside in ("محمد", "abc", "محمد 2026-11-02"):
        shown = bidi.write_line(f"الاسم {pair[0]}{inside}{pair[1]} جبلة", "visual", rtl=True)
        assert shown.index(pair[0]) < shown.index(pair[1])


def test_an_option_stays_as_it_is_typed() -> None:
    """Its dashes stand before it, in every form."""
    line = "الكل مع --limit 0."
    assert "--limit 0" in bidi.write_line(line, "visual", rtl=True)
    shown = get_display(bidi.write_line(line, "isolates", rtl=True), base_dir="L").translate(_CONTROLS)
    assert "--limit 0" in shown
    assert shown.strip().startswith(".")  # an Arabic line, though the terminal takes it for another


@pytest.mark.parametrize("width", [8, 12, 20, 60])
def test_long_text_is_cut_before_it_is_turned(width: int) -> None:
    """The first words of a paragraph stand in its first line, and no line is wider than the screen."""
    text = " ".join(["محمد", "أحمد", "علي", "خالد"] * 4)
    lines = bidi.wrap_lines(text, "visual", width, rtl=True)
    assert all(cell_len(line) <= width for line in lines)
    assert " ".join(map(stored, lines)) == text


def test_a_cell_is_cut_at_its_end_not_at_its_beginning() -> None:
    """What does not fit a column goes from the end of the name, which stands at the left."""
    console = Console(width=8, file=None, record=True, legacy_windows=False)
    with console.capture() as seen:
        console.print(bidi.TurnedCell("محمد عبد الرحمن"))
    shown = seen.get().strip("\n")
    assert cell_len(shown) == 8
    assert stored(shown).startswith("محمد ع")
    assert shown.startswith("…")


@given(st.text())
def test_what_has_no_arabic_is_left_alone(text: str) -> None:
    """Nothing is added to it, in any form."""
    if not re.search("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]", text):
        assert {bidi.write_line(text, form, rtl=rtl) for form in bidi.FORMS for rtl in (True, False)} == {text}


def test_a_title_is_made_safe_once() -> None:
    """What keeps a name to itself does not get shown as an odd sign where the title is put into another line."""
    out = Tables("ar")
    out.form = "isolates"
    kind = load.load_texts(load.shipped_texts()).types["household"]
    title = out.title(kind, SimilarRecord("", "", "household", "", {"family_name": "علي"}, 0, []))
    assert "علي" in title
    assert out.safe(title) == title
    assert "2068" not in out.phrase("removed", record=title)


@pytest.mark.parametrize("kept", ["2026-01-05", "+963944158621", "--limit 0"])
def test_a_cell_keeps_dates_and_phones(kept: str) -> None:
    """A table's cell that we turn has them as they are typed, behind Arabic words, too."""
    out = io.StringIO()
    Console(file=out, width=60).print(bidi.TurnedCell(f"زيارة {kept}"))
    assert kept in out.getvalue()


def test_what_is_typed_from_a_table_is_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """At 60 columns with six in a row, other columns give way before the code does, in every form of Arabic."""
    for form in ("visual", "isolates"):
        out = Tables("ar")
        out.form, out.tty = form, True
        out.console.width = 60
        heads = ["الموعد", "التأخر", "العمل", "بشأن", "الرمز", "الباحث"]
        row: list[object] = [
            "2026-08-19",
            "99 يوم",
            "تقييم بانتظار الاعتماد",
            "هدى مصطفى شاهين",
            "QRD-D-427-37",
            "ريما",
        ]
        out.table(heads, [row, row], whole={0, 1, 4})
        shown = capsys.readouterr().out
        assert shown.count("QRD-D-427-37") == 2, shown
        assert shown.count("2026-08-19") == 2
        assert max(map(cell_len, shown.splitlines())) <= 60


def test_what_an_answer_rests_on_is_read_without_our_signs(people: Cast, capsys: pytest.CaptureFixture[str]) -> None:
    """`eligible` says which answers are lacking: what keeps their names apart was shown as if somebody had typed it."""
    kinds = people.amal.schema.type("programme").fields["kind"].choices
    found = Eligibility(
        programme="0190", code="NET", name="شبكة الأمان", kind=kinds[0].code, contributory=False, answer="unknown",
        lacks=["income_monthly", "displacement"], who=["هدى"], enrolled=None, excluded_by=None,
    )  # fmt: skip
    for form in ("visual", "isolates"):
        out = Tables("ar")
        out.form, out.tty = form, True
        out.console.width = 120
        eligibility_view.eligible(out, people.amal, [found])
        shown = capsys.readouterr().out
        assert "U+20" not in shown
        assert "NET" in shown


def test_what_turns_arabic_is_part_of_the_install() -> None:
    """A reader on xterm, tmux or Windows has it without an extra; that `visual` is chosen there needs both packages."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"arabic-reshaper", "python-bidi"} <= {one.split(">=")[0] for one in project["dependencies"]}
    assert "rtl" not in project["optional-dependencies"]
    for environment in ({"XTERM_VERSION": "XTerm(379)"}, {"TMUX": "/tmp/x", "TERM": "screen"}, {"WT_SESSION": "1"}):
        assert bidi.form_for(environment, tty=True) == "visual"
