"""The model is independent of the program and reproduces the design's own examples."""

import ast
from pathlib import Path

import pytest

from tests.model.oracle import judging
from tests.model.oracle.commits import Commit, Write
from tests.model.oracle.registers import agree, disagree, heads
from tests.model.oracle.settling import Must, settle

ORACLE = Path(__file__).parent / "oracle"
AMAL, BASIM, HUDA, PHONE = (bytes([n]) * 16 for n in range(1, 5))
WHO = {AMAL: "Amal", BASIM: "Basim", HUDA: "Huda", PHONE: "Amal"}


def write(device: bytes, seq: int, value: object, **over: int) -> Write:
    """Return a write of `name`, over what it names (amal=1: Amal's laptop up to its first)."""
    devices = {"amal": AMAL, "basim": BASIM, "huda": HUDA, "phone": PHONE}
    seen = {devices[name]: n for name, n in over.items()}
    commit = Commit(device, seq, seq, WHO[device], "shelter", 1, b"r" * 16, {"name": value}, {"name": seen}, b"")
    return Write(commit, value, seen)


def test_the_model_does_not_import_the_program() -> None:
    """A misunderstanding in the program cannot be shared by the model."""
    for file in ORACLE.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "fieldsync"], file.name
            assert not isinstance(node, ast.ImportFrom) or node.level == 0, file.name
            for name in names:
                assert not name.startswith("tests.") or name.startswith("tests.model.oracle"), file.name


def test_heads_are_the_unreplaced_writes() -> None:
    """Amal's and Basim's writes over the first are both heads; Huda's, over both, is the only one."""
    first, amal, basim = write(HUDA, 1, "x"), write(AMAL, 1, "a", huda=1), write(BASIM, 1, "b", huda=1)
    assert heads([first, amal, basim]) == [amal, basim]
    assert heads([first, amal, basim, last := write(HUDA, 2, "c", amal=1, basim=1)]) == [last]


def test_adopting_the_other_value_does_not_hide_a_third() -> None:
    """Amal wrote x, Basim y; Huda writes y over Amal's x: equal heads that do not agree, so review is needed."""
    first, amal, basim = write(HUDA, 1, "m"), write(AMAL, 1, "x", huda=1), write(BASIM, 1, "y", huda=1)
    huda = write(HUDA, 2, "y", huda=1, amal=1)
    written = [first, amal, basim, huda]
    assert heads(written) == [basim, huda]
    assert not agree(basim, huda, written)
    assert settle("shelter", "name", written, lambda *_: Must.NO).look is Must.YES


def test_an_author_may_adopt_the_other_value() -> None:
    """Amal wrote x, Basim y; Amal writes y over her own x: no value of others has vanished, so no review."""
    first, amal, basim = write(HUDA, 1, "m"), write(AMAL, 1, "x", huda=1), write(BASIM, 1, "y", huda=1)
    written = [first, amal, basim, write(AMAL, 2, "y", huda=1, amal=1)]
    assert not disagree(heads(written), written)


@pytest.mark.parametrize(
    ("over", "good"),
    [
        ({"huda": 1}, True),
        ({"huda": 1, "amal": 1}, True),
        ({"huda": 1, "amal": 1, "basim": 1}, False),
        ({"amal": 1}, False),
    ],
)
def test_a_server_quarantines_a_silent_decision(over: dict[str, int], good: bool) -> None:
    """Huda's write over one side is accepted; over both sides, or with an incomplete context, it is quarantined."""
    first, amal, basim = write(HUDA, 1, "m"), write(AMAL, 1, "x", huda=1), write(BASIM, 1, "y", huda=1)
    made = Write(Commit(PHONE, 1, 9, "Samar", "shelter", 1, b"r" * 16, {}, {}, b""), "z", {
        {"amal": AMAL, "basim": BASIM, "huda": HUDA}[name]: n for name, n in over.items()
    })  # fmt: skip
    here = {one.dot for one in (first, amal, basim)}
    present = lambda dot: dot in here  # noqa: E731
    assert judging.accepted("shelter", "name", made, [first, amal, basim], first.dot, present) is good


def test_an_edit_in_a_conflict_covers_the_author_s_heads() -> None:
    """In an open register Amal's edit covers her device's head; if nobody else wrote since, her other device's too."""
    first, amal, basim = write(HUDA, 1, "m"), write(AMAL, 1, "x", huda=1), write(BASIM, 1, "y", huda=1)
    covered = judging.covered("shelter", "name", [amal, basim], [first, amal, basim], AMAL, "Amal", first.dot)
    assert covered == {amal.dot}
    phone = write(PHONE, 1, "z", huda=1)
    covered = judging.covered("shelter", "name", [amal, phone], [first, amal, phone], AMAL, "Amal", first.dot)
    assert covered == {amal.dot, phone.dot}
