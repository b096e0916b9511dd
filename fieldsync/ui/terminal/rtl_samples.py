"""A sample line in each way of writing Arabic; the user picks the one that reads correctly."""

from fieldsync.ui.terminal import bidi
from fieldsync.ui.terminal.output import Terminal

_LINE = "الاسم: {name} — الرمز: JBL-B-1-S5 — 2026-11-02"  # fits 60 columns: a line that goes on below reads wrong everywhere
_NAME = "فاطمة الحسن"


def sample_line(form: str) -> str:
    """Return the line in one form."""
    return bidi.write_line(_LINE.format(name=bidi.isolate_value(_NAME, form)), form, rtl=True)


def choose_form(out: Terminal) -> str | None:
    """Show the line in each form; return the form that was chosen, None if none reads right."""
    out.say("rtl_which")
    for number, form in enumerate(bidi.FORMS, 1):
        out.write_as_is(f"  {number}  {sample_line(form)}")
    while True:
        given = out.ask(out.phrase("rtl_ask", last=len(bidi.FORMS)) + " ").strip()
        number = int(given) if given.isdecimal() else -1  # Arabic-Indic digits too
        if number == 0:
            out.say("rtl_none")
            return None
        if 1 <= number <= len(bidi.FORMS):
            out.form = bidi.FORMS[number - 1]
            out.say("rtl_kept")
            return out.form
