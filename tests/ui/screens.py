"""Looking at a full screen: its letters in their places, compared with what was looked at and found good.

UPDATE_SNAPSHOTS=1 writes them anew: then look at each of them.
"""

import os
from pathlib import Path
from typing import Any

from textual.app import App

_BAR = dict.fromkeys(map(ord, "▁▂▃▄▅▆▇█"), " ")  # a scroll bar: as long as the form, which others add to
SNAPSHOTS = Path(__file__).parent / "snapshots"


def seen(app: App[Any]) -> str:
    """Return the screen's text, a line a row."""
    rows = ("".join(segment.text for segment in strip).rstrip() for strip in app.screen._compositor.render_strips())
    text = "\n".join(rows).translate(_BAR)
    return "\n".join(map(str.rstrip, text.split("\n"))) + "\n"


def assert_looks(app: App[Any], name: str) -> None:
    """Compare the screen with a snapshot."""
    shown = seen(app)
    file = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS") == "1":
        file.write_text(shown, encoding="utf-8")
    assert file.exists(), f"no such snapshot: {name}"
    assert shown == file.read_text(encoding="utf-8"), f"{name} looks different:\n{shown}"
