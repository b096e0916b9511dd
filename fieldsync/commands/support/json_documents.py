"""Which JSON document each command gives with --json: docs/json.md and docs/json-schema.json are made from this list.

Commands do not read it, as it imports what all of them compute; tests compare their output with it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from msgspec import Struct

from fieldsync.server import administration, branch_link
from fieldsync.topology import device_summaries


class Document(NamedTuple):
    """The type of a document, and with which option or argument a command gives it where that is not always."""

    type: Any
    when: str = ""


class Explained(Struct, frozen=True):
    """An error, in the language that was asked for.

    code: what scripts tell errors apart by.
    hint: what to do about it; empty where nothing is known.
    facts: what the error is about; which keys there are depends on its code.
    """

    code: str
    message: str
    hint: str
    facts: dict[str, Any]


class Failed(Struct, frozen=True):
    """What any command gives in place of its document where it fails; the exit code is that of the error."""

    error: Explained


DOCUMENTS: Mapping[str, tuple[Document, ...]] = MappingProxyType(
    {
        "server init": (Document(administration.NewServer),),
        "server invite": (Document(administration.MadeInvite),),
        "server devices": (Document(list[device_summaries.DeviceOrCopy]),),
        "server revoke": (Document(device_summaries.RevokedDevice),),
        "server pending": (Document(list[device_summaries.PendingDevice]),),
        "server approve": (Document(device_summaries.PendingDevice),),
        "server grant": (Document(device_summaries.EnrolledDevice),),
        "server upstream set": (Document(branch_link.Attached),),
        "server upstream schedule": (Document(branch_link.Schedule),),
    }
)
"""By the words that call the command."""

WITHOUT = frozenset({"doctor rtl", "server run"})
"""Commands that give no document: a question at a terminal, and a server that runs until it is stopped."""

UNTYPED = frozenset(
    {
        "", "status", "join", "add", "edit", "show", "list", "find", "history", "remove", "move", "household birth",
        "household death", "household move", "household marry", "household split", "household verify", "sync", "pack",
        "unpack", "check", "backup", "restore", "passphrase", "quarantine", "quarantine list", "quarantine release",
        "quarantine drop", "doctor", "review", "review list", "review show", "review take", "review bulk", "review undo",
        "overlaps", "overlaps list", "overlaps both", "overlaps drop", "case open", "case assess", "case plan",
        "case advance", "case approve", "case return", "case close", "case reopen", "case transfer", "refer", "referral",
        "referral list", "referral accept", "referral decline", "referral deliver", "referral complete",
        "referral withdraw", "consent list", "consent withdraw", "agenda", "caseload", "eligible", "duplicates",
        "duplicates list", "duplicates scan", "duplicates show", "duplicates merge", "duplicates split",
        "duplicates not-same", "import", "export", "report", "schema list", "schema show", "schema check",
        "schema import", "schema publish", "server upstream sync", "server check", "server backup", "server restore",
        "demo", "completion",
    }
)  # fmt: skip
"""Commands whose documents are still dicts; only to shrink."""
