"""The JSON document of each command with --json: docs/json.md and docs/json-schema.json are generated from this list.

Commands do not import it, as it imports the results of all of them; tests compare their output with it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from msgspec import Struct

from fieldsync.authority import backup_rehearsal, integrity, quarantine, refused_saves
from fieldsync.casework import agenda, approvals, cases, eligibility, record_pages, referrals
from fieldsync.commands import files, overlaps, overview, reports, review, unlock
from fieldsync.commands.support import completion, secrets
from fieldsync.demo import results
from fieldsync.exchange import bulk_load
from fieldsync.exchange.tables import export_records, imported_file
from fieldsync.replica import history, transfer
from fieldsync.replica.queries import Record
from fieldsync.reports import run
from fieldsync.review import (
    asked_questions,
    assistance_overlaps,
    decisions,
    duplicate_bulk,
    duplicate_pairs,
    removal,
    undo,
)
from fieldsync.review.saved_records import SavedRecord
from fieldsync.schema import model, type_summaries
from fieldsync.server import administration, branch_link, publish_schema
from fieldsync.topology import backup_schedule, backups, database_move, device_summaries, fleet, sync_results
from fieldsync.ui.views import doctor, status_facts


class Output(NamedTuple):
    """The type of a document, and when a command gives it, where that is not always."""

    type: Any
    when: str = ""


class Explained(Struct, frozen=True):
    """An error, worded in the selected language.

    code: the error's code, for scripts.
    hint: what to do about it; may be empty.
    facts: the error's facts; the keys depend on its code.
    """

    code: str
    message: str
    hint: str
    facts: dict[str, object]


class Failed(Struct, frozen=True):
    """The document of any command that fails; the exit code is that of the error."""

    error: Explained


DOCUMENTS: Mapping[str, tuple[Output, ...]] = MappingProxyType(
    {
        "": (
            Output(status_facts.Overview),
            Output(overview.NoStore, "where there is no store"),
            Output(overview.Version, "with `--version`"),
        ),
        "status": (Output(status_facts.Status),),
        "join": (Output(sync_results.Joined),),
        "add": (Output(SavedRecord), Output(list[SavedRecord], "with `--row`")),
        "edit": (Output(SavedRecord), Output(list[SavedRecord], "for several records")),
        "show": (Output(record_pages.ShownRecord),),
        "list": (Output(list[Record]),),
        "find": (Output(list[Record]),),
        "history": (Output(list[history.SavedChange]),),
        "remove": (Output(Record), Output(removal.RemovalPlan, "with `--dry-run`")),
        "move": (Output(Record), Output(transfer.MovePlan, "with `--dry-run`")),
        "undo": (Output(undo.UndoneAct), Output(list[undo.DoneAct], "with `--list`")),
        "household birth": (Output(Record),),
        "household death": (Output(Record),),
        "household move": (Output(Record),),
        "household marry": (Output(Record),),
        "household split": (Output(Record),),
        "household verify": (Output(Record),),
        "sync": (Output(sync_results.Synced), Output(sync_results.SyncPlan, "with `--dry-run`")),
        "pack": (Output(sync_results.PackedBundle),),
        "unpack": (Output(sync_results.UnpackedBundle),),
        "check": (Output(integrity.Checked),),
        "backup": (Output(backups.BackedUp),),
        "restore": (Output(backups.Restored),),
        "passphrase": (Output(secrets.PassphraseChanged),),
        "unlock": (Output(unlock.Unlocked),),
        "lock": (Output(unlock.Locked),),
        "quarantine": (Output(list[quarantine.QuarantinedSave]),),
        "quarantine list": (Output(list[quarantine.QuarantinedSave]),),
        "quarantine release": (Output(quarantine.Released),),
        "quarantine drop": (Output(quarantine.DroppedSaves),),
        "refused": (Output(list[quarantine.QuarantinedSave]),),
        "refused list": (Output(list[quarantine.QuarantinedSave]),),
        "refused clear": (Output(refused_saves.ClearedRefusals),),
        "doctor": (Output(list[doctor.Finding]),),
        "review": (Output(list[decisions.OpenConflict]),),
        "review list": (Output(list[decisions.OpenConflict]),),
        "review show": (Output(list[decisions.OpenConflict]),),
        "review take": (Output(Record),),
        "review return": (Output(list[asked_questions.AskedQuestion]),),
        "review answer": (Output(Record),),
        "review bulk": (Output(review.BulkDecision),),
        "review undo": (Output(Record),),
        "review approvals": (Output(list[approvals.PendingApproval]),),
        "review approve": (Output(approvals.ApprovedMany),),
        "overlaps": (Output(list[assistance_overlaps.Overlap]),),
        "overlaps list": (Output(list[assistance_overlaps.Overlap]),),
        "overlaps both": (Output(overlaps.BothRight),),
        "overlaps drop": (Output(Record),),
        "case open": (Output(Record),),
        "case assess": (Output(Record),),
        "case plan": (Output(Record),),
        "case advance": (Output(Record),),
        "case approve": (Output(Record),),
        "case return": (Output(Record),),
        "case close": (Output(Record),),
        "case reopen": (Output(Record),),
        "case transfer": (Output(Record),),
        "refer": (Output(Record),),
        "referral": (Output(list[referrals.ListedReferral]),),
        "referral list": (Output(list[referrals.ListedReferral]),),
        "referral accept": (Output(Record),),
        "referral decline": (Output(Record),),
        "referral deliver": (Output(Record),),
        "referral complete": (Output(Record),),
        "referral withdraw": (Output(Record),),
        "consent list": (Output(list[referrals.SharedData]),),
        "consent withdraw": (Output(Record),),
        "agenda": (Output(list[agenda.AgendaLine]),),
        "caseload": (Output(list[cases.Caseload]),),
        "eligible": (Output(list[eligibility.Eligibility]),),
        "duplicates": (Output(list[duplicate_pairs.DuplicatePair]),),
        "duplicates list": (Output(list[duplicate_pairs.DuplicatePair]),),
        "duplicates scan": (Output(duplicate_pairs.DuplicateScan),),
        "duplicates show": (Output(duplicate_pairs.ComparedPair),),
        "duplicates merge": (Output(duplicate_pairs.ComparedPair),),
        "duplicates split": (Output(duplicate_pairs.ComparedPair),),
        "duplicates not-same": (Output(duplicate_pairs.ComparedPair),),
        "duplicates bulk": (Output(duplicate_bulk.BulkMerge),),
        "import": (Output(imported_file.ImportedFile),),
        "export": (Output(export_records.ExportedFile),),
        "report": (
            Output(run.ReportDocument),
            Output(list[reports.ListedReport], "with `--list`"),
            Output(run.IssuedReports, "for `freeze`"),
            Output(reports.ReportFile, "with `--format csv` or `xlsx`, into a file"),
        ),
        "schema list": (Output(list[type_summaries.TypeSummary]),),
        "schema show": (Output(model.Type),),
        "schema check": (Output(files.GoodForms),),
        "schema import": (
            Output(files.ShownForm),
            Output(files.WrittenForm, "with `--out DIR`"),
        ),
        "schema publish": (Output(publish_schema.PublishedForms),),
        "server init": (Output(administration.NewServer),),
        "server migrate": (Output(database_move.Migrated),),
        "server load": (Output(bulk_load.Loaded),),
        "server invite": (Output(administration.MadeInvite),),
        "server devices": (Output(list[device_summaries.ListedDevice]),),
        "server fleet": (Output(list[fleet.FleetDevice]),),
        "server revoke": (Output(device_summaries.RevokedDevice),),
        "server pending": (Output(list[device_summaries.PendingDevice]),),
        "server approve": (Output(device_summaries.PendingDevice),),
        "server grant": (Output(device_summaries.EnrolledDevice),),
        "server upstream set": (Output(branch_link.Attached),),
        "server upstream sync": (Output(sync_results.Synced),),
        "server upstream schedule": (Output(branch_link.Schedule),),
        "server check": (Output(integrity.Checked),),
        "server backup": (Output(backups.BackedUp),),
        "server backup now": (Output(backup_schedule.ScheduledBackup),),
        "server backup schedule": (Output(backup_schedule.BackupSchedule),),
        "server restore": (
            Output(backups.Restored),
            Output(backup_rehearsal.Rehearsed, "with `--rehearse`"),
        ),
        "demo": (
            Output(results.StoryTold),
            Output(results.TreeTold, "with `--tree`"),
            Output(results.ExampleOffice, "with `--office DIR`"),
            Output(results.StoryFailed, "where it does not come out as it is told"),
        ),
        "completion": (Output(completion.CompletionScript),),
    }
)
"""By the words that call the command."""

WITHOUT = frozenset({"doctor rtl", "server run"})
"""Commands that give no document: a question at a terminal, and a server that runs until it is stopped."""
