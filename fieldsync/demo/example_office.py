"""A permanent example office to try every command on: a headquarters, eight laptops and a year of work."""

import contextlib
import errno
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from msgspec import structs

from fieldsync import errors
from fieldsync.commands import bar, settings_of, tell
from fieldsync.crypto.slots import Slots
from fieldsync.demo import example_programmes, results
from fieldsync.demo.example_work import QUARTERS, Work
from fieldsync.demo.results import ExampleOffice, ExamplePerson
from fieldsync.demo.story_runner import Story, free_port, together
from fieldsync.replica.node import Node

ROOT = "LAT"
_PORT = 8443  # as the tour has it
PEOPLE = (
    ("amal", "أمل", "caseworker", "LAT/JBL"),
    ("basim", "باسم", "caseworker", "LAT/JBL"),
    ("rima", "ريما", "caseworker", "LAT/QRD"),
    ("nour", "نور", "caseworker", "LAT/QRD"),
    ("omar", "عمر", "caseworker", "LAT/HFA"),
    ("hala", "هالة", "caseworker", "LAT/HFA"),
    ("samar", "سمر", "supervisor", ROOT),
    ("zaki", "زكي", "auditor", ROOT),
)
_OFFICE = ("samar", "zaki")

_ORG = {"en": "Social Affairs", "ar": "الشؤون الاجتماعية"}  # the name of the office, in its people's language


class _Office:
    """The folder with everybody's stores, all opened by one key file."""

    def __init__(self, folder: Path, lang: str) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self.lang = lang
        self.story = Story(folder, lang)
        self.story.listen = f"127.0.0.1:{free_port(_PORT)}"
        self.secret = (folder / "key").read_bytes()
        self.nodes: dict[str, Node] = {}

    def fill(self, slots: Slots, key: bytes) -> None:
        slots.add_keyfile(key, self.secret)

    def open(self, name: str) -> Node:
        from fieldsync.replica import node as nodes

        def unlock(slots: Slots) -> bytes:
            return slots.open_keyfile(self.secret)

        self.nodes[name] = nodes.open_node(self.folder / name, unlock, shared=name == "hq")
        return self.nodes[name]

    def found_headquarters(self) -> None:
        """Set up the headquarters, and let everybody join once it serves."""
        from fieldsync.schema import load
        from fieldsync.server import administration

        address = f"https://{self.story.listen}"
        administration.init_server(
            self.folder / "hq",
            self.fill,
            administration.ServerPlan(org=_ORG[self.lang], unit=ROOT, address=address),
            load.shipped_texts(),
        )
        self.open("hq")

    def join(self) -> None:
        from fieldsync.protocol import invites, join_server
        from fieldsync.server import administration

        for home, name, role, unit in PEOPLE:
            invite = invites.parse_invite(administration.make_invite(self.nodes["hq"], name, role, [unit]).invite)
            join_server.join_server(invite, self.folder / home, self.fill)
            self.open(home)

    def sync(self, *names: str) -> None:
        from fieldsync.protocol import sync_once

        together(lambda name: sync_once.sync_once(self.nodes[name]), *names)


@contextlib.contextmanager
def _opened(folder: Path, lang: str) -> Iterator[_Office]:
    made = _Office(folder, lang)
    try:
        yield made
    finally:
        for node in made.nodes.values():
            node.close()


def build(ctx: typer.Context, folder: Path) -> None:
    """Build the office in a new or empty folder, and print the next steps. BadFile."""
    try:
        there = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as fault:
        raise errors.BadFile(file=str(folder), reason="unreadable") from fault
    if there:
        raise errors.BadFile(file=str(folder), reason="not_empty")
    started = time.monotonic()
    try:
        with bar(ctx) as progress, _opened(folder, settings_of(ctx).language) as made:
            told = _built(made, progress)
    except BaseException as fault:
        shutil.rmtree(folder, ignore_errors=True)  # half an office would only puzzle
        if isinstance(fault, OSError) and fault.errno != errno.ENOSPC:
            raise errors.BadFile(file=str(folder), reason="unwritable") from fault
        raise
    told = structs.replace(told, seconds=round(time.monotonic() - started, 1))
    tell(ctx, told, lambda out: results.show_office(out, told))


def _built(made: _Office, progress: Any) -> ExampleOffice:
    made.found_headquarters()
    with made.story.server():
        made.join()
        work = Work(made.nodes)
        work.found_partners()
        writers = [home for home, *_ in PEOPLE if home not in _OFFICE]
        work.reset_clocks()
        made.sync(*writers)
        for number in range(QUARTERS):
            work.quarter(number, progress)
            work.reset_clocks()
            made.sync(*writers)
            made.sync("samar")
            work.approve(number)
            work.reset_clocks()
            made.sync("samar")
            made.sync(*writers)
            work.carry_out(number)
            work.reset_clocks()
            made.sync(*writers)
        work.disagree()
        work.elsewhere()
        example_programmes.play_programmes(work)
        work.reset_clocks()
        for _ in range(2):
            made.sync(*writers, *_OFFICE)
    return _example_office(made)


def _example_office(made: _Office) -> ExampleOffice:
    from fieldsync.replica import queries
    from fieldsync.review import assistance_overlaps, duplicate_pairs

    hq = made.nodes["hq"]
    status = queries.status(hq)
    key, home = shlex.quote(str(made.folder / "key")), shlex.quote(str(made.folder / "hq"))
    return ExampleOffice(
        office=str(made.folder),
        key=str(made.folder / "key"),
        start=[
            f"export FIELDSYNC_KEY_FILE={key}",
            f"fieldsync --home {home} server run --listen {made.story.listen}",
        ],
        people=[ExamplePerson(str(made.folder / home), name, role, unit) for home, name, role, unit in PEOPLE],
        records=status.records,
        conflicts=status.conflicts,
        duplicates=len(duplicate_pairs.list_pairs(hq)),
        overlaps=len(assistance_overlaps.list_overlaps(hq)),
        seconds=0,
    )
