"""The cases that programs in other languages test themselves with hold here, too."""

import json

from fieldsync.core.register import Head, build_register
from tests.core import frozen_registers as frozen


def test_each_case_holds_as_ever() -> None:
    """What is shown, whether a person looks, whether it is open, and what an edit covers and names."""
    found = json.loads(frozen.FILE.read_text(encoding="utf-8"))["cases"]
    for case in found:
        writes = [
            (
                Head(frozen.device(h["device"]), h["seq"], h["stamp"], "x", h["value"]),
                {frozen.device(int(d)): seq for d, seq in h["context"].items()},
            )
            for h in case["heads"]
        ]
        register = build_register(writes, {frozen.device(int(d)): seq for d, seq in case["seen"].items()})
        assert frozen.told(register) == {"heads": case["heads"], "seen": case["seen"]}
        assert frozen.expected(register, case["policy"]) == {
            name: case[name] for name in ("shown", "look", "open", "covers", "names")
        }
    assert sum(case["open"] for case in found) >= 15
    assert {case["policy"] for case in found} == set(frozen.POLICIES)
