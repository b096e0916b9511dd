"""The tables on docs/formats' pages that code knows by heart: made by `make docs`, as the examples are."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from fieldsync import errors

TABLES: dict[str, Callable[[], str]] = {}
_ROOT = Path(__file__).parents[1]


def table(name: str) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """Name a table after its marker on the page."""

    def keep(function: Callable[[], str]) -> Callable[[], str]:
        TABLES[name] = function
        return function

    return keep


def error_classes() -> list[type[errors.FieldsyncError]]:
    """Return every error, by code."""

    def walk(kind: type[errors.FieldsyncError]) -> Iterator[type[errors.FieldsyncError]]:
        yield kind
        for below in kind.__subclasses__():
            yield from walk(below)

    known = {one.code: one for one in walk(errors.FieldsyncError) if one.__module__.startswith("fieldsync.errors.")}
    return [known[code] for code in sorted(known)]


@table("errors")
def errors_table() -> str:
    rows = [f"| `{one.code}` | {one.status} | {one.exit} | {_meaning(one)} |" for one in error_classes()]
    return "\n".join(["| code | status | exit code | meaning |", "|---|---|---|---|", *rows])


def _meaning(kind: type[errors.FieldsyncError]) -> str:
    first = re.split(r"\n\s*\n", str(kind.__doc__))[0]
    return re.sub(r"\s+", " ", first).strip().replace("|", "\\|")


@table("vectors")
def vectors_table() -> str:
    """Each vector with the words at its head, and what a reader makes of it where it is refused."""
    folder = _ROOT / "tests/wire/vectors"
    told = json.loads((folder / "expected.json").read_text("utf-8"))
    rows = []
    for file in sorted(folder.glob("*.hex")):
        words = file.read_text("utf-8").splitlines()[0].removeprefix("# ").replace("|", "\\|")
        if file.stem.startswith("hostile"):
            reads = f"refuses it: `{told[file.stem]['refused']}`"
        elif file.stem.startswith("column"):
            reads = f"reads {len(told[file.stem])} values"
        else:
            reads = "reads it"
        rows.append(f"| `{file.name}` | {words} | {reads} |")
    return "\n".join(["| file | what it holds | a reader |", "|---|---|---|", *rows])

