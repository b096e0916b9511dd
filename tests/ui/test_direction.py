"""Direction: output is in the right order on terminals with bidi and without."""

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
def test_codes_are_not_reversed_on_a_bidi_terminal(parts: list[tuple[str, str]], rtl: bool) -> None:
    """In a model of such a terminal each date, code and phone reads from left to right."""
    line = "  ".join(f"{bidi.isolate_value(name, 'isolates')}: {code}" for name, code in parts)
    shown = get_display(bidi.write_line(line, "isolates", rtl=rtl), base_dir="R" if rtl else "L").translate(_CONTROLS)
    assert all(code in shown for _, code in parts)


@given(parts=st.lists(st.tuples(NAMES, CODES), min_size=1, max_size=4), rtl=st.booleans())
def test_text_is_reordered_for_terminals_without_bidi(parts: list[tuple[str, str]], rtl: bool) -> None:
    """Visual: names are reversed and joined, codes are not, no control is left, and Arabic lines are right-aligned."""
    line = " · ".join(f"{bidi.isolate_value(name, 'visual')} {code}" for name, code in parts)
    shown = bidi.write_line(line, "visual", rtl=rtl)
    assert shown == shown.translate(_CONTROLS)
    assert all(code in shown for _, code in parts)
    backwards = stored(shown)
    assert all(stored(name)[::-1] in backwards for name, _ in parts)
    if rtl:
        assert backwards.startswith(stored(parts[0][0])[::-1])


def test_combining_marks_follow_their_letter() -> None:
    """On every terminal."""
    shown = bidi.write_line("مُحَمَّد", "visual", rtl=True)
    assert not unicodedata.combining(shown[0])
    assert unicodedata.combining(shown[-1])  # the first letter's damma: the line ends with it at the right


@pytest.mark.parametrize("pair", ["()", "[]", "«»"])
def test_brackets_are_mirrored(pair: str) -> None:
    """From the left, a bracket opens before it closes, around Arabic or Latin text."""
    for inside in ("محمد", "abc", "محمد 2026-11-02"):
        shown = bidi.write_line(f"الاسم {pair[0]}{inside}{pair[1]} جبلة", "visual", rtl=True)
        assert shown.index(pair[0]) < shown.index(pair[1])


def test_options_keep_their_dashes() -> None:
    """The dashes come first, in every mode."""
    line = "الكل مع --limit 0."
    assert "--limit 0" in bidi.write_line(line, "visual", rtl=True)
    shown = get_display(bidi.write_line(line, "isolates", rtl=True), base_dir="L").translate(_CONTROLS)
    assert "--limit 0" in shown
    assert shown.strip().startswith(".")  # an Arabic line, though the terminal takes it for another


@pytest.mark.parametrize("width", [8, 12, 20, 60])
def test_long_text_is_wrapped_before_it_is_reordered(width: int) -> None:
    """The first words of a paragraph are in its first line, and no line is wider than the screen."""
    text = " ".join(["محمد", "أحمد", "علي", "خالد"] * 4)
    lines = bidi.wrap_lines(text, "visual", width, rtl=True)
    assert all(cell_len(line) <= width for line in lines)
    assert " ".join(map(stored, lines)) == text


@pytest.mark.parametrize("width", range(20, 44))
@pytest.mark.parametrize("inset", ["", "  "])
def test_isolated_lines_fit_with_their_marks(width: int, inset: str) -> None:
    """The blanks that carry the marks of an Arabic line count: a terminal would break it after them."""
    text = inset + "خيارات السكن: ملك، إيجار، استضافة، 2026-10-31 مركز إيواء، بناء غير مكتمل، خيمة، أخرى"
    lines = bidi.wrap_lines(text, "isolates", width, rtl=True)
    assert [line for line in lines if cell_len(line) > width] == []


def test_cells_are_cut_at_the_end() -> None:
    """The end of a name, displayed at the left, is cut."""
    console = Console(width=8, file=None, record=True, legacy_windows=False)
    with console.capture() as seen:
        console.print(bidi.TurnedCell("محمد عبد الرحمن"))
    shown = seen.get().strip("\n")
    assert cell_len(shown) == 8
    assert stored(shown).startswith("محمد ع")
    assert shown.startswith("…")


@given(st.text())
def test_text_without_arabic_is_unchanged(text: str) -> None:
    """In every mode."""
    if not re.search("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]", text):
        assert {bidi.write_line(text, form, rtl=rtl) for form in bidi.FORMS for rtl in (True, False)} == {text}


def test_titles_are_made_safe_once() -> None:
    """Isolating characters are not shown as symbols when a title is part of another line."""
    out = Tables("ar")
    out.form = "isolates"
    kind = load.load_texts(load.shipped_texts()).types["household"]
    title = out.title(kind, SimilarRecord("", "", "household", "", {"family_name": "علي"}, 0, []))
    assert "علي" in title
    assert out.safe(title) == title
    assert "2068" not in out.phrase("removed", record=title)


@pytest.mark.parametrize("kept", ["2026-01-05", "+963944158621", "--limit 0"])
def test_cells_keep_dates_and_phones(kept: str) -> None:
    """A reordered cell has them as typed, also after Arabic words."""
    out = io.StringIO()
    Console(file=out, width=60).print(bidi.TurnedCell(f"زيارة {kept}"))
    assert kept in out.getvalue()


def test_codes_in_tables_are_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """At 60 columns other columns are cut first, in every mode."""
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


def test_explanations_have_no_visible_controls(people: Cast, capsys: pytest.CaptureFixture[str]) -> None:
    """`eligible` lists missing answers: characters isolating their names are not shown."""
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


def test_reordering_packages_are_installed() -> None:
    """They are required, not extras, for xterm, tmux and Windows."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"arabic-reshaper", "python-bidi"} <= {one.split(">=")[0] for one in project["dependencies"]}
    assert "rtl" not in project["optional-dependencies"]
    for environment in ({"XTERM_VERSION": "XTerm(379)"}, {"TMUX": "/tmp/x", "TERM": "screen"}, {"WT_SESSION": "1"}):
        assert bidi.form_for(environment, tty=True) == "visual"


@pytest.mark.parametrize(
    ("sentence", "typed"),
    [
        ("للبتّ فيه: fieldsync review take JBL-B-1-S5 <حقل>", "fieldsync review take JBL-B-1-S5 <{}>"),
        ("لعرضها كلها: fieldsync quarantine list.", "fieldsync quarantine list"),
        ("لتطبيقها: fieldsync quarantine release <جهاز>:<رقم>؛ ثم زامن", "fieldsync quarantine release <{}>:<{}>"),
        ("استخدم --set <حقل>=<قيمة> أو غيره", "--set <{}>=<{}>"),
        ("اختر --from <ملف>.json ثم تابع", "--from <{}>.json"),
        ("لا مخزن في /home/amal/store.", "/home/amal/store"),
        ("لا مخزن (بُحث عنه في C:\\Users\\amal\\store).", "C:\\Users\\amal\\store"),
        ("تجده في ~/stick/up.age؛ أكمل", "~/stick/up.age"),
    ],
)
def test_commands_in_an_arabic_sentence_read_from_the_left(sentence: str, typed: str) -> None:
    """Codes and placeholders keep their order; the full stop stays outside."""
    places = re.findall("<([^<>]+)>", sentence)
    turned = [bidi.join_letters(place)[::-1] for place in places]
    assert typed.format(*turned) in bidi.write_line(sentence, "visual", rtl=True)
    kept = re.findall("\u2066(.*?)\u2069(?![^\u2066]*>)", bidi.write_line(sentence, "isolates", rtl=True))
    assert bidi.without_isolates(kept[0]) == typed.format(*places)


def test_a_command_is_not_cut_where_it_fits_on_a_line() -> None:
    """It moves to the next line as a whole; one that is too long is cut like other words."""
    text = "بانتظار البتّ، ويمكن استخدام أحد هذين الأمرين: fieldsync overlaps drop <سجل> --reason <نص>"
    command = "fieldsync overlaps drop <سجل> --reason <نص>"
    lines = bidi.wrap_lines(text, "plain", 60, rtl=True)
    assert lines[-1] == command
    assert bidi.wrap_lines(text, "plain", 20, rtl=True)[-1] != command
    assert max(map(len, bidi.wrap_lines(text, "plain", 20, rtl=True))) <= 20
