"""Writing forms into a folder: all files or none, without replacing existing ones."""

from collections.abc import Mapping
from pathlib import Path

from fieldsync import errors


def write_folder(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files of forms. BadFile."""
    there = next((name for name in texts if (folder / name).exists()), None)
    if there is not None:
        raise errors.BadFile(file=str(folder / there), reason="form_exists")
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            written.append(folder / name)
            written[-1].write_text(text, encoding="utf-8", newline="\n")
    except OSError as fault:
        for path in written:
            path.unlink(missing_ok=True)
        raise errors.unwritten(fault, str(folder)) from fault
