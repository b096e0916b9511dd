"""The findings of `doctor`, one line each: a mark, the subject, and the remedy for a problem."""

from msgspec import Struct

from fieldsync.ui.terminal import messages
from fieldsync.ui.terminal.output import Terminal
from fieldsync.ui.views.record_card import size, span

_MARKS = {"good": "✓", "warn": "!", "bad": "✗"}


class Finding(Struct, frozen=True):
    """A check of `doctor`.

    check: "versions", "disk", "store", "rights", "server", "clock", "network", "encoding", "terminal" or "arabic".
    state: "good", "warn" or "bad".
    exit: the exit code, if the state is "bad".
    facts: the findings; the keys depend on the check.
    """

    check: str
    state: str
    exit: int
    facts: dict[str, str | int | None]


def show(out: Terminal, found: list[Finding]) -> None:
    """Write the findings, and how many need somebody."""
    for one in found:
        facts: dict[str, object] = dict(one.facts)
        if isinstance(free := facts.get("free"), int):
            facts["free"] = size(free, out.lang)
        if isinstance(off := facts.get("off_ms"), int):
            facts["much"] = messages.SafeText(span(out, off))
        if "part" in facts:
            facts["part"] = messages.SafeText(out.phrase(f"thing_{facts['part']}"))
        if "form" in facts:
            facts["form"] = messages.SafeText(out.phrase(f"doctor_form_{facts['form']}"))
        key = _key(one)
        out.line(f"{_MARKS[one.state]} {out.phrase(key, **{name: out.safe(value) for name, value in facts.items()})}")
        if one.state != "good":
            out.line(f"    {out.phrase(key + '!', **facts)}")
    bad = sum(one.state != "good" for one in found)
    out.say("doctor_some" if bad else "doctor_well", n=bad)


def _key(one: Finding) -> str:
    reason, check = one.facts.get("reason"), one.check
    if one.state == "bad" and isinstance(off := one.facts.get("off_ms"), int):
        reason = "ahead" if off > 0 else "behind"
    specific = f"doctor_{check}_{reason or one.state}"
    return specific if specific in messages.load_catalogue("en") else f"doctor_{check}_{one.state}"
