"""What `doctor` found, line by line: a mark, what it is about, and what to do where it is not well."""

from typing import Any

from fieldsync.ui.terminal import messages
from fieldsync.ui.terminal.output import Terminal
from fieldsync.ui.views.record_card import size

Finding = dict[str, Any]
_MARKS = {"good": "✓", "warn": "!", "bad": "✗"}


def show(out: Terminal, found: list[Finding]) -> None:
    """Write the findings, and how many need somebody."""
    for one in found:
        facts = dict(one["facts"])
        if "free" in facts:
            facts["free"] = size(facts["free"])
        if "off_ms" in facts:
            facts["off"] = f"{facts['off_ms'] / 60_000:+.0f}"
        if "part" in facts:
            facts["part"] = messages.Shown(out.phrase(f"thing_{facts['part']}"))
        if "form" in facts:
            facts["form"] = messages.Shown(out.phrase(f"doctor_form_{facts['form']}"))
        key = _key(one)
        out.line(
            f"{_MARKS[one['state']]} {out.phrase(key, **{name: out.safe(value) for name, value in facts.items()})}"
        )
        if one["state"] != "good":
            out.line(f"    {out.phrase(key + '!', **facts)}")
    bad = sum(one["state"] != "good" for one in found)
    out.say("doctor_some" if bad else "doctor_well", n=bad)


def _key(one: Finding) -> str:
    reason, check = one["facts"].get("reason"), one["check"]
    specific = f"doctor_{check}_{reason or one['state']}"
    return specific if specific in messages.catalogue("en") else f"doctor_{check}_{one['state']}"
