"""Parts of a type besides its fields: due dates, overlap rules, notes."""

from fieldsync.schema.model import DueRule, FormNote, OverlapRule
from fieldsync.schema.source_file import NAME, SourceFile

_DUE_KEYS: dict[str, type | tuple[type, ...]] = {"label": dict, "on": str, "when": str, "who": str, "by": list}
_DOUBLE_KEYS: dict[str, type | tuple[type, ...]] = {"label": dict, "same": list, "against": str, "unless": str}

_NOTE_KEYS: dict[str, type | tuple[type, ...]] = {"label": dict, "before": str, "section": str, "relevant": str}


def read_due(file: SourceFile, name: str, given: object) -> DueRule:
    """Read a table `[due.NAME]`; faults are added to the file."""
    path = ("due", name)
    table = file.known_keys(given, path, _DUE_KEYS)
    if not NAME.fullmatch(name):
        file.add_fault(path, "bad_name")
    for key in ("on", "when"):
        if key not in table:
            file.add_fault(path, "missing_key", missing=key)
    return DueRule(
        label=file.read_label(table, "label", path, needed=True),
        on=table.get("on", ""),
        when=table.get("when", ""),
        who=table.get("who", ""),
        by=file.word_list(table.get("by"), (*path, "by")),
    )


def read_double(file: SourceFile, name: str, given: object) -> OverlapRule:
    """Read a table `[doubles.NAME]`; faults are added to the file."""
    path = ("doubles", name)
    table = file.known_keys(given, path, _DOUBLE_KEYS)
    if not NAME.fullmatch(name):
        file.add_fault(path, "bad_name")
    if "same" not in table and "against" not in table:
        file.add_fault(path, "missing_key", missing="same")
    return OverlapRule(
        label=file.read_label(table, "label", path, needed=True),
        same=file.word_list(table.get("same"), (*path, "same")),
        against=table.get("against", ""),
        unless=table.get("unless", ""),
    )


def read_note(file: SourceFile, name: str, given: object) -> FormNote:
    """Read a table `[notes.NAME]`; faults are added to the file."""
    path = ("notes", name)
    table = file.known_keys(given, path, _NOTE_KEYS)
    if not NAME.fullmatch(name):
        file.add_fault(path, "bad_name")
    return FormNote(
        label=file.read_label(table, "label", path, needed=True),
        before=table.get("before", ""),
        section=table.get("section", ""),
        relevant=table.get("relevant", ""),
    )
