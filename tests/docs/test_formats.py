"""The pages of formats match the code: tables of items, codes, tables of the store."""

import ast
import re
from pathlib import Path

import msgspec
import pytest

from docs.items import items_of, items_on
from docs.tables import error_classes
from fieldsync import errors
from fieldsync.core import stamp
from fieldsync.core.commit import Commit
from fieldsync.protocol.invites import Invite
from fieldsync.replica import merge_rules
from fieldsync.schema import model
from fieldsync.store import new_store
from fieldsync.wire import bundle_format, columns, frames, messages, node_reports, routes
from fieldsync.wire.protocols import PROTOCOL
from tests.wire import expected, frozen

ROOT = Path(__file__).parents[2]
FORMATS = ROOT / "docs/formats"

# struct → the page, and the heading or bold words that its table stands behind
PLACES: dict[type[msgspec.Struct], tuple[str, str]] = {
    messages.Hello: ("messages.md", "HELLO"), messages.OpaqueCommits: ("messages.md", "COMMITS"), messages.Ack: ("messages.md", "ACK"),
    messages.States: ("messages.md", "STATES"), messages.End: ("messages.md", "END"), messages.Summary: ("messages.md", "Summary"),
    messages.Ask: ("messages.md", "ASK"), messages.Range: ("messages.md", "Range"), messages.Found: ("messages.md", "FOUND"),
    messages.JoinAnswer: ("messages.md", "JOINED"), messages.Peer: ("messages.md", "PEER"), messages.Enrolment: ("messages.md", "Enrolment"),
    messages.SignedReceipt: ("messages.md", "SignedReceipt"), messages.Former: ("messages.md", "Former"), messages.Forms: ("messages.md", "FORMS"),
    messages.FormText: ("messages.md", "FormText"), messages.RenewRequest: ("messages.md", "RENEW"),
    messages.RenewAnswer: ("messages.md", "RENEWED"), messages.Reserved: ("messages.md", "Reserved"),
    node_reports.NodeReport: ("messages.md", "NodeReport"), node_reports.ReportBelow: ("messages.md", "ReportBelow"),
    messages.JoinRequest: ("requests.md", "Joining"), bundle_format.Manifest: ("bundle.md", "Manifest"),
    bundle_format.CarriedCommits: ("bundle.md", "CarriedCommits"), bundle_format.EarlierCommits: ("bundle.md", "EarlierCommits"),
}  # fmt: skip
WITHIN = {messages.Commits}  # OpaqueCommits has its items, too

# what judges a commit, and what answers a request
JUDGES = [
    *(f"authority/{name}.py" for name in ("permissions", "code_permissions", "value_permissions", "commit_limits", "conflict_judge")),
    *("authority/revocations.py", "authority/quarantine.py", "casework/partner_permissions.py", "schema/validate.py"),
]  # fmt: skip
ANSWERS = [
    *("server/app.py", "server/request_frames.py", "server/enrolment.py", "protocol/server.py", "protocol/commit_frames.py"),
    *("protocol/push_only.py", "wire/frames.py", "topology/device_families.py", "replica/protocol_versions.py"),
]  # fmt: skip
COMMANDS_ONLY = {"usage", "no_device", "not_found"}  # of authority/quarantine.py: about what somebody types


@pytest.mark.parametrize("kind", PLACES, ids=lambda kind: kind.__name__)
def test_tables_of_items_match_the_structs(kind: type[msgspec.Struct]) -> None:
    """Each item with its number, name, type and default."""
    page, place = PLACES[kind]
    assert items_on((FORMATS / page).read_text("utf-8"), place) == items_of(kind)


def test_every_message_has_a_table() -> None:
    """New messages need a description."""
    defined = {
        one
        for module in (messages, node_reports, bundle_format)
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, msgspec.Struct) and one.__module__ == module.__name__
    }
    assert defined - WITHIN == PLACES.keys()


@pytest.mark.parametrize(("kind", "page"), [(Commit, "commit.md"), (Invite, "invite.md")])
def test_items_of_commits_and_invites_are_named_in_order(kind: type[msgspec.Struct], page: str) -> None:
    """Their tables have words for types."""
    named = re.findall(r"^\| \d+ \| `(\w+)` \|", (FORMATS / page).read_text("utf-8"), re.MULTILINE)
    assert tuple(named) == kind.__struct_fields__


def codes_in(files: list[str]) -> set[str]:
    """Return the codes of the errors that modules make."""
    made = {
        node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        for file in files
        for node in ast.walk(ast.parse((ROOT / "fieldsync" / file).read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name)
    }
    raised = {
        name
        for file in files
        for name in re.findall(r"raise errors\.(\w+)", (ROOT / "fieldsync" / file).read_text("utf-8"))
    }
    return {one.code for one in error_classes() if one.__name__ in made | raised}


def codes_on(heading: str) -> set[str]:
    """Return the codes in the first column of the table behind a heading of errors.md."""
    page = (FORMATS / "errors.md").read_text("utf-8")
    section = re.split(r"^#+ ", page.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return {code for row in rows for code in re.findall(r"`(\w+)`", row)}


def test_all_reasons_of_quarantine_are_listed() -> None:
    """The page lists a judge's codes, and no others."""
    told, known = codes_on("Quarantined commits"), codes_in(JUDGES) - COMMANDS_ONLY
    from_forms = {"unknown_type", "unknown_field"}  # schema/model.py raises them for all
    assert told - from_forms == known
    assert told <= {one.code for one in error_classes()}


def test_all_refusals_of_requests_are_listed() -> None:
    """The page lists the server's answers."""
    told = codes_on("Refused requests")
    assert codes_in(ANSWERS) - told == {"unreadable"}  # a reason for a commit, see above
    assert told <= {one.code for one in error_classes()}
    assert {errors.UnknownDevice.code, errors.StaleNonce.code} <= told


def test_all_tables_of_a_store_are_listed(tmp_path: Path) -> None:
    """Each table of a new store has its row on the page; a row without one is of a table created on demand."""
    store = new_store(tmp_path, bytes(32))
    with store.read() as tx:
        there = {name for (name,) in tx.sql("SELECT name FROM sqlite_master WHERE type = 'table'")}
    store.close()
    page = (FORMATS / "store.md").read_text("utf-8")
    section = page[page.index("## Tables") : page.index("## Copies")]
    told = {
        name for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in re.findall(r"`([\w/]+)`", row)
    }
    told |= set(re.findall(r"`(_sqlite_\w+)`", section))
    assert {name for name in there if not name.startswith("sqlite_")} - told == set()
    assert told - there == {"search", "sheet/TYPE"}


def test_the_stamps_on_the_page_match_the_code() -> None:
    """Each line of the table, in order."""
    page = (FORMATS / "registers.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| (\d+) \| (make|take) ?(\d*)[^|]*\| (\d+) \|$", page, re.MULTILINE)
    assert len(rows) == 5
    for now, last, act, remote, then in rows:
        made = (
            stamp.next_stamp(int(last), int(now))
            if act == "make"
            else stamp.stamp_after_receiving(int(last), int(remote), int(now))
        )
        assert made == int(then)


def test_every_named_vector_exists_with_its_secrets() -> None:
    """Readers in other languages need the files, the ids and the keys."""
    page = (FORMATS / "vectors.md").read_text("utf-8")
    files = re.findall(r"`(tests/[\w/.*-]+)`", page)
    assert len(files) == 8
    assert [one for one in files if not any(ROOT.glob(one))] == []
    for device in (frozen.LAPTOP, frozen.SERVER):
        assert f"32 private bytes `{device.to_bytes()[:1].hex()}`; device id `{device.device.hex()}`" in page
        assert len(set(device.to_bytes())) == 1
    assert f"`{expected.IDENTITY}`" in page
    opened = expected.sealed(ROOT / "tests/crypto/bundle-1.age")
    assert opened == b"fieldsync bundle 1\n" + bytes(range(256)) * 300


def column_of(page: str, head: str, at: int = 0) -> list[str]:
    """Return the cells of a table's column; `head` is how the table begins."""
    text = (FORMATS / page).read_text("utf-8")
    rows = text[text.index(head) :].partition("\n\n")[0].splitlines()[2:]
    return [row.strip("| ").split(" | ")[at] for row in rows]


def test_all_kinds_of_frames_and_columns_are_listed() -> None:
    """Each with its number."""
    kinds = dict(zip(*(column_of("frames.md", "| kind | name |", at) for at in (0, 1)), strict=True))
    assert kinds == {str(int(kind)): kind.name for kind in frames.FrameKind} | {str(frames.PART): "PART"}
    tags = dict(zip(*(column_of("columns.md", "| tag | name |", at) for at in (0, 1)), strict=True))
    assert {name: int(tag) for tag, name in tags.items()} == {name: getattr(columns, name) for name in tags.values()}
    assert len(tags) == len(columns._DECODERS)


def test_every_policy_is_listed() -> None:
    """Those of forms, and of the system's registers."""
    told = {name for cell in column_of("settle.md", "| policy | one head") for name in re.findall(r"`(\w+)`", cell)}
    assert told == set(model.MERGES)
    registers = zip(*(column_of("settle.md", "| register | policy |", at) for at in (0, 1)), strict=True)
    system = {name: policy.strip("`") for cell, policy in registers for name in re.findall(r"`(\w+)(?:/…)?`", cell)}
    assert system.pop("_decided") == "none"
    assert system == {name: rule.policy.merge for name, rule in merge_rules.TypeRules("x", None).fields.items()}


def test_every_route_is_listed() -> None:
    """Of the documented protocol."""
    told = [cell.strip("`") for cell in column_of("requests.md", "| route |")]
    names = (routes.SYNC, routes.HEAL, routes.JOIN, routes.RENEW)
    assert told == [*(f"POST {routes.request_path(name, PROTOCOL)}" for name in names), "GET /health", "GET /metrics"]
