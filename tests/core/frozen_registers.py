"""Writes the vectors of registers anew: `python -m tests.core.frozen_registers`, for programs in other languages (docs/formats/registers.md).

Each case has heads, each with its context, a policy, whose each device is, and what follows: what is shown, whether a person looks,
whether the register is open, and what an edit by device 1 covers and names.
"""

import json
import random
from pathlib import Path
from typing import Any

from fieldsync.core.edit_context import Editor, covered_heads, edit_context, is_open
from fieldsync.core.lifecycle import Lifecycle
from fieldsync.core.register import EMPTY, Head, Register, Value, contexts_of, join, register_of_write
from fieldsync.core.settle import Policy, settle

FILE = Path(__file__).with_name("vectors") / "registers.json"
LIFECYCLE = Lifecycle(("d", "a", "b", "f"), {"d": ("a", "b"), "a": ("f",)})
POLICIES = {
    "review": Policy(),
    "latest": Policy("latest"),
    "once": Policy("once"),
    "greatest": Policy("greatest"),
    "least": Policy("least"),
    "furthest": Policy("furthest", lifecycle=LIFECYCLE),
    "review of a choice": Policy("review", ("x", "y")),
}
_VALUES: dict[str, tuple[Value, ...]] = {
    "furthest": ("d", "a", "b", "f"), "greatest": (1, 2, 2.0, None), "least": ("2026-01-01", "2026-02-01", None),
    "review": ("x", "x ", "y", True, 1, {"a": ["١"]}, {"a": ["1"]}),
}  # fmt: skip


def device(n: int) -> bytes:
    """Return the id of a device."""
    return bytes([n]) * 16


def person(one: bytes) -> object:
    """Devices 1 and 2 are one person's."""
    return 1 if one[0] == 2 else one[0]


def made(seed: int) -> dict[str, Any]:
    """Return one case: up to six writes by five devices, each over some of those before, joined."""
    chance = random.Random(seed)
    name = chance.choice(list(POLICIES))
    values = _VALUES.get(name.split()[0], _VALUES["review"])
    register = EMPTY
    for i in range(chance.randint(2, 6)):
        writer = device(chance.randint(1, 5))
        known = register if chance.random() < 0.3 else EMPTY
        base = {device(9): 1} if chance.random() < 0.8 else {}
        head = Head(writer, i + 2, 100 + chance.randint(0, 3), "x", chance.choice(values))
        register = join(register, register_of_write(head, base | dict(known.seen)))
    return {"policy": name, **told(register)} | expected(register, name)


def told(register: Register) -> dict[str, Any]:
    """Return a register as JSON; devices are numbers."""
    writes = zip(register.heads, contexts_of(register), strict=True)
    return {
        "heads": [
            {"device": h.device[0], "seq": h.seq, "stamp": h.stamp, "value": h.value, "context": _plain(c or {})}
            for h, c in writes
        ],
        "seen": _plain(register.seen),
    }


def _plain(context: Any) -> dict[str, int]:
    return {str(one[0]): seq for one, seq in sorted(context.items())}


def expected(register: Register, name: str) -> dict[str, Any]:
    """Return what follows from a register."""
    policy, writer = POLICIES[name], Editor(device(1), person, (device(9), 1))
    shown = settle(register, policy, person=person)
    heads = covered_heads(register, policy, writer)
    return {
        "shown": shown.value,
        "look": shown.look,
        "open": is_open(register, policy, person),
        "covers": [[head.device[0], head.seq] for head in heads],
        "names": _plain(edit_context(register, heads, writer)),
    }


def main() -> None:
    """Write the cases."""
    cases = [made(seed) for seed in range(60)]
    about = "devices 1 and 2 are one person's; the base is device 9, seq 1; the edit is device 1's; states: d → a, b; a → f; choices: x, y"
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(
        f'{{{json.dumps("about")}: {json.dumps(about, ensure_ascii=False)},\n"cases": [\n{lines}\n]}}\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
