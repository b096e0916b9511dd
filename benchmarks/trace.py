"""Which of fieldsync's files one save, one sync and one decision pass: `python -m benchmarks.trace`, with names: `--list`.

A file counts where one of its functions runs, not where it is only imported. Everything stands ready: each is done once before.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

import fieldsync
from fieldsync import office
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import decisions
from tests import cast, directly

_HOME = Path(fieldsync.__file__).parent
_AT_IMPORT = os.environ.get("FIELDSYNC_TRACE_IMPORTS") == "1"


def files_passed(work: Callable[[], object]) -> list[str]:
    """Return the files of the program in which a function ran, in the order in which they were reached."""
    codes: dict[CodeType, None] = {}

    def profile(frame: Any, event: str, _argument: object) -> None:
        if event == "call":
            codes.setdefault(frame.f_code)

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    ours = (code for code in codes if code.co_filename.startswith(f"{_HOME}{os.sep}"))
    called = (code for code in ours if _AT_IMPORT or code.co_name != "<module>")
    return list(dict.fromkeys(str(Path(code.co_filename).relative_to(_HOME)) for code in called))


def _edit(node: Node, record: bytes, name: str) -> None:
    save.edit_record(node, record.hex(), Changes(set={"family_name": name}))


def _sync(node: Node, hq: Node) -> None:
    directly.sync(node, hq)


def _conflict(first: Node, second: Node, hq: Node, record: bytes) -> None:
    _edit(first, record, "Najjar")
    _edit(second, record, "Haddad")
    for node in (first, second, first):
        _sync(node, hq)


def _decide(node: Node, record: bytes) -> None:
    decisions.decide_conflict(node, record.hex(), "family_name", value="Haddad")


def main(words: list[str]) -> None:
    """Play the three in a small office and say how many files each passes."""
    office.register()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        cast.found_cast(home)
        clock = cast.Clock()
        hq, amal, samar = (cast.open_node(home / name, clock) for name in ("hq", "amal", "samar"))
        first, second = (
            save.add_record(amal, "household", Changes(set={"family_name": name, "location": "Jableh"}))
            for name in ("Saleh", "Khoury")
        )
        for node in (amal, samar):
            _sync(node, hq)
        for record in (first, second):
            _conflict(amal, samar, hq, record)
            _sync(samar, hq)
        _decide(samar, first)
        passed = {"decision": files_passed(lambda: _decide(samar, second))}
        _edit(amal, first, "Haddad-Saleh")
        _sync(amal, hq)
        passed["save"] = files_passed(lambda: _edit(amal, first, "Saleh-Haddad"))
        passed["sync"] = files_passed(lambda: _sync(amal, hq))
        for node in (hq, amal, samar):
            node.close()
    for what, files in passed.items():
        print(f"{what}: {len(files)}")
        for file in files if "--list" in words else ():
            print(f"  {file}")


if __name__ == "__main__":
    main(sys.argv[1:])
