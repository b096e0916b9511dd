"""The index of docs/decisions, made by `make docs` from the headings and status lines of the decisions."""

import re
from pathlib import Path

import msgspec

FOLDER = Path(__file__).parent / "decisions"
_STATUS = re.compile(r"Status: (accepted|superseded)(?:(?:, amended)? by ([^;]*))?(?:; (amends|supersedes) ([^;]*))?")
_LINK = re.compile(r"\[(\d{4})\]\(\1-[\w.-]+\.md\)")
_INTRODUCTION = """\
# Decisions

Made by `make docs` from the decisions themselves; a test compares the two.

A decision has a number, a status, its context, what was decided, and what that costs. A new one takes the next number. An *amended*
decision holds, except where the later one says otherwise. A *superseded* one holds no more: read the later one. The numbers were made
continuous before 0.2; commit messages from before that name older numbers (`git log --follow FILE` shows them).

| number | decision | status |
|---|---|---|
"""


class Decision(msgspec.Struct, frozen=True):
    """One decision; `by` are the numbers of decisions that amend or supersede it, `earlier` of those that it amends or supersedes."""

    number: str
    title: str
    file: str
    superseded: bool
    by: tuple[str, ...]
    supersedes: bool
    earlier: tuple[str, ...]


def read(file: Path) -> Decision:
    """Return a decision by its heading and status line; ValueError if the file does not begin with these."""
    heading, blank, status, *_ = file.read_text("utf-8").splitlines()
    titled = re.fullmatch(r"# (\d{4}) (\S.*)", heading)
    told = _STATUS.fullmatch(status)
    if titled is None or blank or told is None:
        msg = f"{file.name}: a decision begins with its heading, an empty line and its status"
        raise ValueError(msg)
    by, earlier = (_numbers(links or "") for links in (told[2], told[4]))
    return Decision(*titled.groups(), file.name, told[1] == "superseded", by, told[3] == "supersedes", earlier)


def _numbers(links: str) -> tuple[str, ...]:
    parts = [_LINK.fullmatch(link) for link in links.split(", ")] if links else []
    if None in parts:
        msg = f"{links}: not links to decisions"
        raise ValueError(msg)
    return tuple(part[1] for part in parts if part)


def decisions() -> list[Decision]:
    """Return all decisions, by number."""
    return [read(file) for file in sorted(FOLDER.glob("[0-9]*.md"))]


def page() -> str:
    """Return docs/decisions/README.md."""
    all_of_them = decisions()
    files = {one.number: one.file for one in all_of_them}

    def status(one: Decision) -> str:
        later = ", ".join(f"[{number}]({files[number]})" for number in one.by)
        if one.superseded:
            return f"superseded by {later}"
        return f"accepted, amended by {later}" if later else "accepted"

    rows = [f"| {one.number} | [{one.title}]({one.file}) | {status(one)} |\n" for one in all_of_them]
    return _INTRODUCTION + "".join(rows)
