"""Writes the vectors of settling anew: `python -m tests.core.frozen_settle`, for programs in other languages (docs/formats/settle.md).

A case is some commits about one record, in any order, and what follows: the registers, the document, the fields in conflict, the term.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from fieldsync.core.commit import Commit, encode, group_contexts, state_of
from fieldsync.core.names import strip_invisible
from fieldsync.core.register import Context, Head, Register, Value
from fieldsync.core.settle import pack_head
from fieldsync.core.state import State, digest_term, join_states, registers
from fieldsync.replica.apply import DeviceFacts, settle_row
from fieldsync.replica.merge_rules import TypeRules
from fieldsync.schema import load
from fieldsync.store.contract import Row

FILE = Path(__file__).with_name("vectors") / "settle.json"
ABOUT = (
    "docs/formats/settle.md tells what this is. Devices, records and bodies are hexadecimal; people: device → whose it is; off: device,"
    " first and last commit stamped by a clock that was off. A head is [device, seq, stamp, author, value]."
)
FORM = """\
version = 1
label = { en = "Visit", ar = "زيارة" }
plural = { en = "Visits", ar = "زيارات" }
forks = [["checked", "closed"]]
beats = [["dropped", "closed"]]

[states]
planned = { en = "Planned", ar = "مخطّطة", next = ["made", "dropped"] }
made = { en = "Made", ar = "تمّت", next = ["checked"] }
dropped = { en = "Dropped", ar = "ملغاة" }
checked = { en = "Checked", ar = "مدقّقة", next = ["made", "closed"] }
closed = { en = "Closed", ar = "مغلقة" }
"""
_FIELD = """
[fields.{name}]
type = "{type}"
merge = "{merge}"
sensitivity = 1
label = {{ en = "{name}", ar = "{name}" }}
"""
_CHOICES = {
    "level": ("low", "middle", "high"),
    "stage": ("a", "b", "c"),
    "needs": ("food", "cash"),
    "colour": ("red", "blue"),
}
_FIELDS = (
    ("state", "state", "furthest"), ("name", "text", "review"), ("colour", "choice", "review"), ("place", "text", "latest"),
    ("born", "date", "once"), ("last", "date", "greatest"), ("first", "date", "least"), ("level", "choice", "greatest"),
    ("weight", "number", "greatest"), ("stage", "choice", "furthest"), ("needs", "choice", "set"), ("meals", "int", "tally"), ("notes", "note", "log"),
)  # fmt: skip
RECORD = bytes.fromhex("01a19b5373a070008000000000000042")
OTHER = "01a19b53-73a0-7000-8000-000000000043"
AMAL, AMAL_2, BASIM, SAMAR = (bytes([n]) * 16 for n in (0xA1, 0xA2, 0xB1, 0xC1))
PEOPLE = {AMAL: "Amal", AMAL_2: "Amal", BASIM: "Basim", SAMAR: "Samar"}
OFF = ((BASIM, 90, 99),)
MADE: dict[str, Value] = {"_code": "JBL-B-1-S5", "_unit": "LAT/JBL"}


def form() -> str:
    """Return the form's text."""
    text = FORM
    for name, type_, merge in _FIELDS:
        text += _FIELD.format(name=name, type=type_, merge=merge)
        if type_ == "choice":
            choices = ", ".join(f'{code} = {{ en = "{code}", ar = "{code}" }}' for code in _CHOICES[name])
            text += f"choices = {{ {choices} }}\n"
    return text


RULES = TypeRules("visit", load.load_texts({"visit.toml": form()}, published=True).types["visit"])
FACTS = DeviceFacts(
    lambda head: any(head.device == device and first <= head.seq <= last for device, first, last in OFF),
    lambda device: PEOPLE.get(device, device),
)


class Case(NamedTuple):
    """What it shows, and the commits that it is made of."""

    name: str
    commits: list[Commit]


def write(device: bytes, seq: int, at: int, fields: dict[str, Value], **seen: dict[bytes, int]) -> Commit:
    """Return a commit; `seen` is the context of each field (`_` for all of them)."""
    contexts: dict[str, Context] = {name: seen.get(name, seen.get("_", {})) for name in fields}
    person = PEOPLE[device]
    ordered = dict(sorted(fields.items()))
    return Commit(1, device, seq, at, person, "visit", 1, RECORD, None, ordered, group_contexts(contexts))


def add(**fields: Value) -> Commit:
    """Return the commit that makes the record."""
    return write(AMAL, 1, 100, MADE | fields)


def _two(field: str, one: Value, other: Value, before: Value = None) -> list[Commit]:
    """Return a record and two edits of a field that had not seen each other; the second has the later stamp."""
    base = {AMAL: 1}
    return [
        add(**({} if before is None else {field: before})),
        write(AMAL, 2, 200, {field: one}, _=base),
        write(BASIM, 1, 300, {field: other}, _=base),
    ]


def _decided() -> list[Commit]:
    over: Value = {
        "heads": [pack_head(Head(AMAL, 2, 200, "Amal", "أ")), pack_head(Head(BASIM, 1, 300, "Basim", "ب"))],
        "base": None,
        "note": "asked",
    }
    return [
        *_two("name", "أ", "ب"),
        write(SAMAR, 1, 400, {"name": "أ", "_decided/name": over}, name={AMAL: 2, BASIM: 1}),
    ]


def _undone() -> list[Commit]:
    decided = _decided()
    over = decided[-1].fields["_decided/name"]
    assert isinstance(over, dict)
    again: Value = {"reopened": over["heads"], "base": None}
    back = write(
        SAMAR,
        2,
        500,
        {"name": again, "_decided/name": None},
        **{"name": {AMAL: 2, BASIM: 1, SAMAR: 1}, "_decided/name": {SAMAR: 1}},
    )
    return [*decided, back]


def _removal(registers: dict[str, object], saw: dict[str, object]) -> Value:
    return {"reason": "moved", "saw": saw, "registers": registers}


def cases() -> list[Case]:
    """Return all cases."""
    base = {AMAL: 1}
    amal, basim = AMAL.hex(), BASIM.hex()
    once = [
        add(),
        write(BASIM, 1, 300, {"born": "2020-01-02"}, _=base),
        write(AMAL, 2, 200, {"born": "2020-01-01"}, _=base),
    ]
    return [
        Case("a record as it was made: a set as a list, nil written", [add(name="أ", needs=["cash", "food"], place=None)]),
        Case("a set as a list that is out of order, and twice the same", [add(needs=["food", "cash", "food"])]),
        Case("a set as an empty list is none", [add(needs=[]), write(BASIM, 1, 300, {"name": "ب"}, _=base)]),
        Case("an edit that has seen the value", [add(name="أ"), write(BASIM, 1, 300, {"name": "ب"}, _=base)]),
        Case("an edit that comes before the record", [write(BASIM, 1, 300, {"name": "ب"}, _=base), add(name="أ")]),
        Case("an edit without the record", [write(BASIM, 1, 300, {"name": "ب"}, _=base)]),
        Case("a field emptied", [add(name="أ"), write(BASIM, 1, 300, {"name": None}, _=base)]),
        Case("an edit that has not seen the base: both stand", [add(name="أ"), write(BASIM, 1, 300, {"name": "ب"})]),
        Case("one id made twice: the smaller dot is the base", [write(BASIM, 1, 90, MADE | {"name": "ب"}), add(name="أ")]),
        Case("review: two values", _two("name", "أ", "ب", "ج")),
        Case("review: equal but for what is not seen", _two("name", "أحمد 12", " أحـمد  ١٢")),
        Case("review: true is not 1", _two("unheard", True, 1)),
        Case("review of a choice: compared exactly", _two("colour", "red", "red ")),
        Case(
            "review: equal, and one has written over a third person",
            [add(), write(BASIM, 1, 150, {"name": "ج"}, _=base), write(SAMAR, 1, 200, {"name": "أ"}, _={**base, BASIM: 1}), write(AMAL, 2, 300, {"name": "أ"}, _=base)],
        ),
        Case(
            "review: equal, and one has written over its own person's",
            [add(), write(AMAL_2, 1, 150, {"name": "ج"}, _=base), write(AMAL, 2, 200, {"name": "أ"}, _={AMAL_2: 1}), write(BASIM, 1, 300, {"name": "أ"}, _=base)],
        ),
        Case("latest: two values", _two("place", "جبلة", "اللاذقية")),
        Case("latest: one stamp, the larger device", [add(), write(AMAL, 2, 200, {"place": "x"}, _=base), write(BASIM, 1, 200, {"place": "y"}, _=base)]),
        Case("latest: a clock was off", [add(), write(AMAL, 2, 200, {"place": "x"}, _=base), write(BASIM, 90, 300, {"place": "y"}, _=base)]),
        Case("once: the oldest", once),
        Case("once: equal", _two("born", "2020-01-01", "2020-01-01")),
        Case("greatest of dates, one emptied", [*_two("last", "2026-02-01", "2026-01-01"), write(SAMAR, 1, 400, {"last": None}, _=base)]),
        Case("greatest of choices by their order", _two("level", "high", "middle")),
        Case("greatest of choices: one that the form does not have", _two("level", "extreme", "low")),
        Case("greatest of numbers", _two("weight", 9, 10.5)),
        Case("greatest of values of different kinds", _two("weight", 9, "10")),
        Case("least of dates", _two("first", "2026-02-01", "2026-01-01")),
        Case("furthest: one leads on to the other", _two("state", "closed", "made", "planned")),
        Case("furthest: two branches", _two("state", "made", "dropped", "planned")),
        Case("furthest: each leads to the other, the later in the list", _two("state", "checked", "made", "planned")),
        Case("furthest: a fork", _two("state", "closed", "checked", "planned")),
        Case("furthest: one beats the other", _two("state", "dropped", "closed", "planned")),
        Case("furthest of choices: the later", _two("stage", "c", "b", "a")),
        Case("furthest: a state that the form does not have", _two("state", "made", "lost", "planned")),
        Case("set: a member added and another dropped at once", [add(needs=["food"]), write(AMAL, 2, 200, {"needs/food": False}, **{"needs/food": base}), write(BASIM, 1, 300, {"needs/cash": True})]),
        Case("set: added and dropped at once stays", [add(needs=["food"]), write(AMAL, 2, 200, {"needs/food": False}, **{"needs/food": base}), write(BASIM, 1, 300, {"needs/food": True}, **{"needs/food": base})]),
        Case("set: the last member dropped", [add(needs=["food"]), write(AMAL, 2, 200, {"needs/food": False}, **{"needs/food": base})]),
        Case("set: members of a field that the form does not have", [add(), write(BASIM, 1, 300, {"unheard/x": True})]),
        Case("tally: the sum of the devices' parts", [write(AMAL, 1, 100, MADE | {f"meals/{amal}": 3}), write(BASIM, 1, 300, {f"meals/{basim}": 4})]),
        Case("tally: a part counted on", [write(AMAL, 1, 100, MADE | {f"meals/{amal}": 3}), write(AMAL, 2, 200, {f"meals/{amal}": 5}, **{f"meals/{amal}": base})]),
        Case("log: by stamp", [add(), write(BASIM, 1, 300, {f"notes/{basim[:8]}-1": "later"}), write(AMAL, 2, 200, {f"notes/{amal[:8]}-2": "earlier"})]),
        Case("log: an entry emptied", [add(), write(BASIM, 1, 300, {f"notes/{basim[:8]}-1": "x"}), write(BASIM, 2, 400, {f"notes/{basim[:8]}-1": None}, **{f"notes/{basim[:8]}-1": {BASIM: 1}})]),
        Case("unit: two moves at once", _two("_unit", "LAT/QRD", "HOM")),
        Case("removed, and all of it seen", [add(name="أ"), write(BASIM, 1, 300, {"_deleted": _removal({"": {amal: 1}}, {amal: 1})})]),
        Case("removed, and an edit that it had not seen", [add(name="أ"), write(AMAL, 2, 200, {"name": "ب"}, _=base), write(BASIM, 1, 300, {"_deleted": _removal({"": {amal: 1}}, {amal: 1})})]),
        Case("removed by 0.1: what it saw of the device counts for all registers", [add(name="أ"), write(AMAL, 2, 200, {"name": "ب"}, _=base), write(BASIM, 1, 300, {"_deleted": {"reason": "moved", "saw": {amal: 2}}})]),
        Case("removed and restored", [add(name="أ"), write(BASIM, 1, 300, {"_deleted": _removal({"": {amal: 1}}, {amal: 1})}), write(BASIM, 2, 400, {"_deleted": None}, _={BASIM: 1})]),
        Case("decided: what it was made over is kept", _decided()),
        Case("decided, and the decision taken back", _undone()),
        Case("decided, and edited at the same time", [*_decided(), write(BASIM, 2, 450, {"name": "ج"}, _={BASIM: 1})]),
        Case("taken back, and decided anew", [*_undone(), write(SAMAR, 3, 600, {"name": "ب"}, _={AMAL: 2, BASIM: 1, SAMAR: 2})]),
        Case("merged into another, and said to be two", [add(), write(SAMAR, 1, 300, {"_same_as": OTHER}), write(BASIM, 1, 400, {f"_not_same/{OTHER}": True})]),
        Case("a field that the form does not have", _two("unheard", "x", "y")),
    ]  # fmt: skip


COMPARED = (
    "أحـمد", " a  b\u00a0c ", "٠١٢٣٤٥٦٧٨٩ ۰۱۲۳۴۵۶۷۸۹", "a\u200bb\u200f\ufeff", "e\u0301", "ا\u0653", "a\tb\nc", "a\u001cb\u001bc", "\u0085x\u0086", "x\ufe0f\u00ad",
    "\u3000x\u2028y", "ى ي ة ه", "Ahmad", "أحمد", "\U000e0041x",
)  # fmt: skip
"""Texts that are shown as they are and compared in another form."""


def joined(case: Case) -> State:
    """Return the record's state after all commits, in their order."""
    state = state_of(case.commits[0])
    for commit in case.commits[1:]:
        state, _ = join_states(state, state_of(commit))
    return state


def told(case: Case) -> dict[str, Any]:
    """Return a case as JSON."""
    state = joined(case)
    row = Row(1, state, {}, {})
    settle_row(row, RULES, None, FACTS)
    return {
        "name": case.name,
        "commits": [_commit(one) for one in case.commits],
        "base": None if state.base is None else [state.base.device.hex(), *state.base[1:]],
        "registers": {name: _register(register) for name, register in sorted(registers(state).items())},
        "document": dict(sorted(row.doc.items())),
        "conflicts": sorted(row.conflicts),
        "term": digest_term(state).to_bytes(8, "big").hex(),
    }


def _commit(one: Commit) -> dict[str, Any]:
    return {
        "device": one.device.hex(), "seq": one.seq, "stamp": one.stamp, "author": one.author, "fields": one.fields,
        "context": [[list(names), [[device.hex(), seq] for device, seq in pairs]] for names, pairs in one.context], "body": encode(one).hex(),
    }  # fmt: skip


def _register(register: Register) -> dict[str, Any]:
    return {
        "heads": [pack_head(head) for head in register.heads],
        "seen": {device.hex(): seq for device, seq in sorted(register.seen.items())},
    }


def main() -> None:
    """Write the cases."""
    head = {
        "about": ABOUT, "type": "visit", "form": form(), "record": RECORD.hex(), "people": {device.hex(): who for device, who in PEOPLE.items()},
        "off": [[device.hex(), first, last] for device, first, last in OFF], "compared": [[text, strip_invisible(text)] for text in COMPARED],
    }  # fmt: skip
    lines = ",\n".join(json.dumps(told(case), ensure_ascii=False) for case in cases())
    FILE.write_text(f'{json.dumps(head, ensure_ascii=False)[:-1]},\n"cases": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
