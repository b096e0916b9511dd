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



@table("limits")
def limits_table() -> str:
    """What is refused beyond which number, as the code has it."""
    from fieldsync.authority import commit_limits, value_permissions
    from fieldsync.core import commit
    from fieldsync.protocol import commit_frames
    from fieldsync.server import app, rate_limit, request_frames
    from fieldsync.topology import device_families, enrolments, former_identities
    from fieldsync.wire import bundle_format, columns, frames, messages, row_batches

    rows: list[tuple[str, int]] = [
        ("payload of a frame as it is sent, bytes", frames.MAX_COMPRESSED),
        ("payload in PART frames and the one behind them, as it is sent, bytes", frames.MAX_LARGE),
        ("payload decompressed, bytes", frames.MAX_PLAIN),
        ("a commit's body, bytes", commit.MAX_BODY),
        ("fields of a commit", commit.MAX_FIELDS),
        ("lists and maps in each other in a value", commit.MAX_DEPTH),
        ("form of a commit", commit_limits.MAX_FORM),
        ("commits of a COMMITS frame from their own device", commit_frames.MOST_COMMITS),
        ("commits of a COMMITS frame from a branch, or by protocol 1", commit_frames.MOST_BEFORE),
        ("commits of a COMMITS frame in a bundle", row_batches.MAX_ROWS),
        ("bodies of a COMMITS frame together, bytes", row_batches.MAX_BODIES),
        ("records, writes, and pairs of a payload", row_batches.MAX_ROWS * 8),
        ("values in the rows of a payload", row_batches.MAX_CELLS),
        ("texts of a column together, characters", columns.MAX_TEXT),
        ("registers of a record", value_permissions.MOST_REGISTERS),
        ("commits of one device about one record", value_permissions.MOST_COMMITS),
        ("commits of one device a minute; more wait", rate_limit.MOST),
        ("seconds for the hello", app.HELLO_SECONDS),
        ("seconds between two pieces of a body", request_frames.BODY_SECONDS),
        ("join request, bytes", app.MAX_JOIN),
        ("manifest of a bundle, bytes", bundle_format.MAX_MANIFEST),
        ("files of forms", messages.MOST_FORMS),
        ("files of forms together, bytes", messages.MOST_FORM_BYTES),
        ("successors of one family that wait for approval", device_families.MOST_PENDING),
        ("successors of one family a day", device_families.MOST_A_DAY),
        ("former identities of one family that are enrolled a day; more come with a later sync", former_identities.MOST_A_DAY),
        ("devices that a branch enrols a day, with all below it; more come with a later sync", enrolments.MOST_A_DAY),
    ]
    return "\n".join(["| what | most |", "|---|---|", *(f"| {what} | {most:,} |" for what, most in rows)])
