"""docs/programmes.md, played: its commands run as written, and its types, states and reports exist."""

import datetime as dt
import re
import shlex
from itertools import pairwise

from fieldsync.schema import load
from tests.cast import ROOT
from tests.cli.conftest import World

PAGE = (ROOT / "docs" / "programmes.md").read_text(encoding="utf-8")
_SCHEMA = load.load_texts(load.shipped_texts())
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_its_commands_run(world: World) -> None:
    """In order, on a supervisor's laptop; a name in a comment then stands for the saved record's code."""
    names = {"MONTH": f"{dt.datetime.now(dt.UTC):%Y-%m}"}
    lines = [line for block in _BLOCK.findall(PAGE) for line in block.splitlines()]
    assert len(lines) > 60
    for line in lines:
        said, _, name = line.partition("  # $")
        words = [re.sub(r"\$(\w+)", lambda found: names[found[1]], word) for word in shlex.split(said)]
        assert words.pop(0) == "fieldsync"
        told = world.json("samar", *words)
        if name:
            names[name] = (told[0] if isinstance(told, list) else told)["code"]
        if words[0] == "list":
            assert told, line  # it shows something
        if words[0] in ("add", "edit"):
            assert "overlaps" not in str(told), line
    assert {f"${name}" for name in names} <= set(re.findall(r"\$\w+", "\n".join(line.partition("  # $")[0] for line in lines))) | {
        "$OTHER", "$JOB",
    }  # fmt: skip


def test_its_terms_match_the_forms() -> None:
    """Types, states in an order that their lifecycles allow, reports."""
    reports = {path.stem for path in (ROOT / "schemas" / "reports").glob("*.sql")}
    sections = PAGE.split("\n## ")[1:]
    assert len(sections) == 9
    for section in sections:
        types = re.search(r"^Types?: (.*?)\. Reports?: (.*)$", section, re.MULTILINE)
        assert types is not None, section[:40]
        kinds = re.findall(r"`(\w+)`", types[1])
        assert set(kinds) <= _SCHEMA.types.keys()
        assert set(re.findall(r"`(\w+)`", types[2])) <= reports
        with_states = {kind for kind in kinds if _SCHEMA.type(kind).lifecycle is not None}
        said = re.search(r"^States: (.*)\.$", section, re.MULTILINE)
        told: set[str] = set()
        lifecycle = None
        for part in said[1].split("; ") if said else ():
            named = re.match(r"`(\w+)` (.*)", part)
            if named:
                told.add(named[1])
                lifecycle = _SCHEMA.type(named[1]).lifecycle
            assert lifecycle is not None
            for old, new in pairwise((named[2] if named else part).split(" → ")):
                assert lifecycle.allows_step(old, new), (section[:20], old, new)
        assert told == with_states
