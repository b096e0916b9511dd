"""Records the review screen at work, on a small invented store: docs/review.svg, a picture that moves, made by the program itself.

`python -m docs.recorded` writes it anew; a test plays the same keys.
"""

import asyncio
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fieldsync.core import record_ids
from fieldsync.review import queue
from fieldsync.replica import queries, save
from fieldsync.replica.node import Node
from fieldsync.replica.changes import Changes
from fieldsync.ui.review.review_app import ReviewApp
from fieldsync.ui.views.tables import Tables
from tests.cast import Clock, found_office, join_directly, open_node
from tests.directly import sync

FILE = Path(__file__).parent / "review.svg"
_SECONDS = 3  # a picture
_STEPS: Sequence[str] = ("", "right", "left", "1", "2", "u", "2", "1", "h", "escape")
_AHMAD = {
    "given": "أحمد", "father": "محمد", "grandfather": "سليم", "family": "الحسن", "mother": "فاطمة", "sex": "m",
    "birth_date": "1990-05-12", "birth_precision": "day", "alive": "alive",
}  # fmt: skip


class Office(NamedTuple):
    """A headquarters, two caseworkers and their supervisor."""

    hq: Node
    amal: Node
    basim: Node
    samar: Node


def office(home: Path) -> Office:
    """Make an office in which there is something of everything to decide."""
    clock = Clock()
    found_office(home / "hq")
    hq = open_node(home / "hq", clock)
    for name, role, unit in (("Amal", "caseworker", "LAT/JBL"), ("Basim", "caseworker", "LAT/JBL"), ("Samar", "supervisor", "LAT")):
        join_directly(hq, home / name, name, role, [unit])
    made = Office(hq, *(open_node(home / name, clock) for name in ("Amal", "Basim", "Samar")))
    everybody = (made.amal, made.basim, made.samar)
    family = save.add_record(made.amal, "household", Changes(set={"family_name": "الحسن", "location": "جبلة"})).hex()
    for node in everybody:
        sync(made.amal, hq)
        sync(node, hq)
    for node, place in ((made.amal, "حمص، حي الوعر"), (made.basim, "حماة، حي الحاضر")):
        clock.tick(60_000)
        save.edit_record(node, family, Changes(set={"location": place}))
    for node, given in ((made.amal, {}), (made.basim, {"given": "Ahmad", "father": "Mohamed", "family": "Al-Hassan"})):
        clock.tick(60_000)
        save.add_record(node, "person", Changes(set={**_AHMAD, **given}), unit="LAT/JBL")
    home_id = record_ids.id_text(bytes.fromhex(family))
    for node, provider in ((made.amal, "جمعية البر"), (made.basim, "الهلال الأحمر")):
        clock.tick(60_000)
        aid = {"kind": "food", "period": "2026-10", "quantity": 1, "recipient": home_id, "provider": provider}
        save.add_record(node, "benefit", Changes(set=aid), unit="LAT/JBL")
    for node in everybody * 2:
        sync(node, hq)
    return made


def frames(node: Node, lang: str = "en") -> list[str]:
    """Press the keys, and return a picture (SVG) after each; what follows one that changes nothing is left out."""
    out = Tables(lang)
    out.use_node(node)

    async def record() -> list[str]:
        app, found = ReviewApp(node, out, pairs=queue.waiting_pairs(node)), []
        async with app.run_test(size=(96, 28)) as pilot:
            for key in _STEPS:
                if key:
                    await pilot.press(key)
                await pilot.pause()
                found.append(app.export_screenshot(title="fieldsync review"))
        return found

    return asyncio.run(record())


def moving(pictures: Sequence[str]) -> str:
    """Return pictures as one that shows them in turn, without fetching fonts from anywhere."""
    whole = len(pictures) * _SECONDS
    bodies = []
    for at, picture in enumerate(pictures):
        plain = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
        body = re.sub(r"</?svg[^>]*>", "", plain).replace("terminal-", f"frame{at}-")
        begin, end = at / len(pictures), (at + 1) / len(pictures)
        times = f"0;{begin:.4f};{end:.4f};1" if at else f"0;{end:.4f};1"
        shown = "none;inline;none;none" if at else "inline;none;none"
        animation = (
            f'<animate attributeName="display" dur="{whole}s" repeatCount="indefinite" calcMode="discrete" '
            f'keyTimes="{times}" values="{shown}"/>'
        )
        bodies.append(f'<g display="{"inline" if at == 0 else "none"}">{animation}{body}</g>')
    head = re.search(r"<svg[^>]*>", pictures[0])
    assert head is not None
    return "\n".join([head[0], *bodies, "</svg>"]) + "\n"


def main() -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        FILE.write_text(moving(frames(office(Path(folder)).samar)), encoding="utf-8")


if __name__ == "__main__":
    main()
