"""Settings: permanent names and encodings, and views that only a writing transaction may assign to."""

import re
from pathlib import Path
from typing import Any

import pytest
from mypy import api as mypy

from fieldsync.core.backup_rotation import Rotation
from fieldsync.core.grants import Grant
from fieldsync.store.node_notes import (
    BackupNote,
    BackupPlan,
    Contact,
    FormDraft,
    LoadMark,
    RegisterFault,
    RehearsalNote,
)
from fieldsync.store.settings import (
    DailyCount,
    EntryFamily,
    NodeSettings,
    NodeSettingsWriter,
    Obstacle,
    PeerMark,
    PeerSettings,
    PeerSettingsWriter,
    SavedAct,
    Setting,
    Stored,
)

GRANTS = '[["LAT/JBL","caseworker"]]'
PLAN = '{"folder":"/b","copy":"/c","elsewhere":true,"at":"01:30","rotation":{"daily":1,"weekly":2,"monthly":3},"rehearse_days":4}'
NODE: list[tuple[str, str, Stored, object]] = [
    ("kind", "kind", "laptop", "laptop"),
    ("org", "org", "مديرية", "مديرية"),
    ("letters", "letters", "AB", "AB"),
    ("person", "person", "Amal", "Amal"),
    ("grants", "grants", GRANTS, (Grant("LAT/JBL", "caseworker"),)),
    ("private_key", "private", b"k", b"k"),
    ("first_private_key", "first_private", b"k", b"k"),
    ("renewing_key", "renewing", b"k", b"k"),
    ("age_identity", "age", "AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1"),
    ("restored", "restored", 1, True),
    ("device_pending", "device_pending", 1, True),
    ("last_code_number", "number", 7, 7),
    ("last_stamp", "last", 1 << 58, 1 << 58),
    ("clock_off", "clock_off", -5, -5),
    ("schema_texts", "schema_texts", b'{"a":"1","b":"2"}', {"b": "2", "a": "1"}),
    ("compiled_schema", "schema", b"\x80", b"\x80"),
    ("forms", "forms", b"\0\0\0\1abcd", b"\0\0\0\1abcd"),
    ("forms_lost", "forms_lost", 9, 9),
    ("forms_unread", "forms_unread", 1, True),
    ("newer_values", "ahead", 1, True),
    ("outdone_forms", "forms_outdone", b"claim", b"claim"),
    ("organisation", "organisation", b"o" * 32, b"o" * 32),
    ("register_time", "register_time", 4, 4),
    ("register_head", "register_head", b"\x92\xc4\x01h\xc4\x01s", (b"h", b"s")),
    ("register_fault", "register_fault", b"\x94\xc4\x01s\x07\xa3gap\x09", RegisterFault(b"s", 7, "gap", 9)),
    ("headquarters_key", "headquarters_key", b"k", b"k"),
    ("certified", "certified", 5, 5),
    ("admin_key", "admin_key", b"k", b"k"),
    ("upstream", "upstream", b"u" * 16, b"u" * 16),
    ("upstream_grants", "upstream_grants", GRANTS, (Grant("LAT/JBL", "caseworker"),)),
    ("address", "address", "https://hq", "https://hq"),
    ("certificate", "certificate", b"c", b"c"),
    ("certificate_key", "certificate_key", b"c", b"c"),
    ("nonce_key", "nonce_key", b"n", b"n"),
    ("next_letters", "lettered", 3, 3),
    ("epoch", "epoch", b"e" * 8, b"e" * 8),
    ("epoch_begun", "epoch_begun", 4, 4),
    ("purges", "purges", 9, 9),
    ("last_contact", "contacts", 9, 9),
    ("backup_plan", "backup_plan", PLAN, BackupPlan("/b", "/c", True, "01:30", Rotation(1, 2, 3), 4)),
    ("backup_tried", "backup_tried", 5, 5),
    ("backup_note", "backup", b"\x96\x07\xa0\x00\xa1f\x08\xc3", BackupNote(7, "", 0, "f", 8, only_copy=True)),
    ("rehearsal_note", "rehearsal", b"\x94\x07\xa1x\xa1f\x02", RehearsalNote(7, "x", "f", 2)),
    ("serial_series", "serial_series", "QTX", "QTX"),
    ("undone", "undone", b"\x91\x92\x03\x04", ((3, 4),)),
    ("acts", "acts", b"\x91\x94\x03\x04\x05\x91\x03", (SavedAct(3, 4, 5, (3,)),)),
]
NODE_FAMILIES: list[tuple[str, str, str, Stored, object]] = [
    ("known_texts", "0011", "form texts 0011", b"short", b"short"),
    ("cleared_refusals", "7", "refusal cleared 7", "unit_refused", "unit_refused"),
    ("values_before", "7", "before 7", b'{"aa":{"b":1}}', {"aa": {"b": 1}}),
    (
        "drafts",
        "household",
        "draft household",
        b'{"answers":{"n":"x"},"was":{"n":null},"logs":{},"counts":{},"at":5,"typed":{"d":"2026-"},"members":[]}',
        FormDraft(answers={"n": "x"}, was={"n": None}, at=5, typed={"d": "2026-"}),
    ),
    ("serial_numbers", "aid.no LAT-2026", "serial aid.no LAT-2026", 17, 17),
    ("reserved_entries", "up", "reserved_up", b"\x90", b"\x90"),
    ("value_maps", "person", "values/person", b'{"sex":{"f":"female"}}', {"sex": {"f": "female"}}),
    ("column_choices", "person/ab", "columns/person/ab", b'[{"Name":"name"},null]', ({"Name": "name"}, None)),
    ("parent_rows", "person", "parents/person", b"\x90", b"\x90"),
    ("import_marks", "7", "taken by 7", "abc", "abc"),
    ("load_marks", "r.jsonl", "load r.jsonl", b"\x94\x01\x02\x03\xc4\x01h", LoadMark(1, 2, 3, b"h")),
    ("imported_files", "abc", "taken/abc", b"", True),
]
PEER: list[tuple[str, str, Stored, object]] = [
    ("protocol", "protocol", 4, 4),
    *((f"{name}_cursor", name, 6, 6) for name in ("receipts", "judged", "passed", "devices", "refused", "clocks", "register")),
    *((f"{name}_cursor", name, 6, 6) for name in ("pairs", "heard", "enrolled", "noted", "reported")),
    (
        "units", "units", b"\x92\xa3LAT\xa3DAM", ("LAT", "DAM"),
    ),
    (
        "servers_above", "servers", b"\x91\x95\xc4\x01h\xa2hq\xa3url\xc4\x01p\xa0", ((b"h", "hq", "url", b"p", ""),),
    ),
    ("newest_time", "told", 8, 8),
    ("epoch", "epoch", b"e" * 8, b"e" * 8),
    ("suspected", "suspected", 1, True),
    ("lost_enrolment", "lost_enrolment", 1, True),
    ("blocked_check", "unchecked", '["commits",1,2]', Obstacle("commits", 1, 2)),
    ("taken_ahead", "ahead", '[["LAT",1,9]]', (("LAT", 1, 9),)),
    ("lacked_forms", "forms lacked", 2, 2),
    ("arriving_forms", "forms arriving", b"list", b"list"),
    ("answered", "answered", 3, 3),
    ("reserved_taken", "reserved_taken", 3, 3),
    ("letters_at_branch", "letters_at_branch", "CD", "CD"),
    ("succession_proof", "heir", b"s", b"s"),
    ("contact", "contact", b"\x95\x01\x02\xfd\xc0\xc4\x01b", Contact(1, 2, -3, None, b"b")),
    ("reports_taken", "reports_taken", 4, 4),
    ("first_letters", "lettered", 30, 30),
    ("mark", "mark", b"\x93\xc4\x01e\x01\x02", PeerMark(b"e", 1, 2)),
    ("withheld_news", "withheld", 2, 2),
    ("carried", "carried", b"\x81\xc4\x01d\x05", {b"d": 5}),
]  # fmt: skip
PEER_FAMILIES: list[tuple[str, str, str, Stored, object]] = [
    ("arriving_texts", "00ff", "forms arriving 00ff", b"text", b"text"),
    ("reserved_cursors", "down", "reserved_down", 5, 5),
    ("answers_from", "ab", "answers ab", 5, 5),
    ("daily_counts", "succeeded", "succeeded", "20000 3", DailyCount(20000, 3)),
]


def names(view: type, kind: type) -> set[str]:
    """Return what is declared of a kind in a view."""
    return {name for name, value in vars(view).items() if isinstance(value, kind)}


def test_settings_keep_their_encoding() -> None:
    """Older programs' values are read, and new ones are written byte for byte the same."""
    for view, writer, settings, families, scope in (
        (NodeSettings, NodeSettingsWriter, NODE, NODE_FAMILIES, ""),
        (PeerSettings, PeerSettingsWriter, PEER, PEER_FAMILIES, " c0ffee"),
    ):
        assert names(view, Setting) == {one[0] for one in settings}
        assert names(view, EntryFamily) == {one[0] for one in families}
        kept: dict[str, Stored] = {}
        writing: Any = writer(kept.get, kept.__setitem__, scope)
        for name, stored_as, stored, value in settings:
            before = {stored_as + scope: stored}
            assert getattr(view(before.get, scope), name) == value
            setattr(writing, name, value)
            assert kept.pop(stored_as + scope) == stored
        for name, key, stored_as, stored, value in families:
            before = {stored_as + scope: stored}
            assert getattr(view(before.get, scope), name)[key] == value
            getattr(writing, name)[key] = value
            assert kept.pop(stored_as + scope) == stored
        assert kept == {}


def test_a_missing_setting_reads_as_its_default() -> None:
    """Empty, zero, or None; the same for a row with NULL of older programs."""
    for kept in ((lambda _: None),):
        node, peer = NodeSettings(kept), PeerSettings(kept, " c0ffee")
        assert (node.kind, node.grants, node.last_stamp, node.upstream, node.restored) == ("", (), 0, None, False)
        assert (node.drafts["x"], node.value_maps["x"], node.imported_files["x"]) == (None, {}, False)
        assert (peer.protocol, peer.mark, peer.carried, peer.taken_ahead) == (None, PeerMark(), {}, ())
        assert peer.daily_counts["former"] == DailyCount()


def test_an_emptied_setting_is_removed() -> None:
    """None, a cleared flag and an empty range leave no row."""
    kept: dict[str, Stored] = {}
    node, peer = NodeSettingsWriter(kept.get, kept.__setitem__), PeerSettingsWriter(kept.get, kept.__setitem__, " ab")
    node.upstream = node.renewing_key = node.outdone_forms = None
    node.restored = peer.suspected = False
    node.drafts["household"] = peer.blocked_check = None
    peer.taken_ahead = ()
    assert set(kept.values()) == {None}


def test_a_reader_cannot_assign() -> None:
    """Neither a setting nor an entry of a family."""
    node: Any = NodeSettings({}.get)
    with pytest.raises(TypeError):
        node.kind = "server"
    with pytest.raises(TypeError):
        node.drafts["household"] = {}
    with pytest.raises(AttributeError):
        node.knd = "server"


REFUSED = """
from fieldsync.store import ReadTx, Tx

def read(tx: ReadTx) -> None:
    tx.settings.kind = "server"
    tx.peer_settings(b"").epoch = b""
    tx.settings.drafts["household"] = None
    tx.store_setting("kind", "server")

def write(tx: Tx) -> None:
    tx.settings.kind = 5
    tx.settings.knd = "server"
    tx.settings.kind = "server"
    tx.peer_settings(b"").epoch = b""
    tx.settings.drafts["household"] = None
"""


def test_the_type_checker_refuses_a_reader_that_assigns(tmp_path: Path) -> None:
    """And a writer that assigns an unknown setting, or another type."""
    code = tmp_path / "code.py"
    code.write_text(REFUSED)
    said, faults, _ = mypy.run(["--no-error-summary", str(code)])
    assert faults == ""
    assert [int(line) for line in re.findall(r"code.py:(\d+): error", said)] == [5, 6, 7, 8, 11, 12], said
