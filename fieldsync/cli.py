"""The command tree on one screen; errors become messages and exit codes here only."""

import errno
import os
import sys
from pathlib import Path

from fieldsync import commands, errors
from fieldsync.commands.support import process
from fieldsync.commands.support.lazy_tree import CommandSpec, GroupSpec, command_runner
from fieldsync.commands.support.settings import Settings, take_settings

COMMANDS = GroupSpec(
    "Offline-first records for people who work where there is no signal.",
    "overview:standing",
    {
        "status": CommandSpec("sync:status"),
        "join": CommandSpec("join:join"),
        "add": CommandSpec("records:add"),
        "edit": CommandSpec("records:edit"),
        "show": CommandSpec("records:show"),
        "list": CommandSpec("records:list_records"),
        "find": CommandSpec("records:find"),
        "history": CommandSpec("records:history"),
        "remove": CommandSpec("records:remove"),
        "move": CommandSpec("transfer:move"),
        "undo": CommandSpec("undo:undo"),
        "household": GroupSpec(
            "Household events: reported by anyone, verified by a supervisor.",
            None,
            {
                "birth": CommandSpec("households:birth"),
                "death": CommandSpec("households:death"),
                "move": CommandSpec("households:move"),
                "marry": CommandSpec("households:marry"),
                "split": CommandSpec("households:split"),
                "verify": CommandSpec("households:verify"),
            },
            needs=("household", "household_event"),
        ),
        "sync": CommandSpec("sync:sync"),
        "pack": CommandSpec("bundles:pack"),
        "unpack": CommandSpec("bundles:unpack"),
        "check": CommandSpec("backup:check"),
        "backup": CommandSpec("backup:backup"),
        "restore": CommandSpec("backup:restore"),
        "passphrase": CommandSpec("passphrase:passphrase"),
        "unlock": CommandSpec("unlock:unlock"),
        "lock": CommandSpec("unlock:lock"),
        "quarantine": GroupSpec(
            "Quarantined saves, which a server verified and did not apply: list, release or drop them.",
            "quarantine:list_saves",
            {
                "list": CommandSpec("quarantine:list_saves"),
                "release": CommandSpec("quarantine:release"),
                "drop": CommandSpec("quarantine:drop"),
            },
        ),
        "refused": GroupSpec(
            "Your saves that a server refused: list them, clear them.",
            "quarantine:list_refused",
            {"list": CommandSpec("quarantine:list_refused"), "clear": CommandSpec("quarantine:clear_refused")},
        ),
        "doctor": GroupSpec(
            "Check this computer: store, disk, servers, clock, network, terminal, versions.",
            "doctor:doctor",
            {"rtl": CommandSpec("doctor:rtl")},
        ),
        "review": GroupSpec(
            "Decide conflicts, possible duplicates and overlaps, one by one or in scripts.",
            "review:review",
            {
                "list": CommandSpec("review:list_items"),
                "show": CommandSpec("review:show"),
                "take": CommandSpec("review:take"),
                "return": CommandSpec("review:send_back", needs=("question",)),
                "answer": CommandSpec("review:answer", needs=("question",)),
                "bulk": CommandSpec("review:bulk"),
                "undo": CommandSpec("review:undo"),
                "approvals": CommandSpec("waiting_work:list_approvals", needs=("case",)),
                "approve": CommandSpec("waiting_work:approve", needs=("case",)),
            },
        ),
        "overlaps": GroupSpec(
            "Overlaps: aid that a household may have received twice.",
            "overlaps:overlaps",
            {
                "list": CommandSpec("overlaps:overlaps"),
                "both": CommandSpec("overlaps:both"),
                "drop": CommandSpec("overlaps:drop"),
            },
            needs=("household",),
        ),
        "case": GroupSpec(
            "Case management: open, assess, plan, act, close.",
            None,
            {
                "open": CommandSpec("cases:open_case"),
                "assess": CommandSpec("cases:assess"),
                "plan": CommandSpec("cases:plan"),
                "advance": CommandSpec("cases:advance"),
                "approve": CommandSpec("cases:approve"),
                "return": CommandSpec("cases:send_back"),
                "close": CommandSpec("cases:close"),
                "reopen": CommandSpec("cases:reopen"),
                "transfer": CommandSpec("cases:transfer"),
            },
            needs=("case",),
        ),
        "refer": CommandSpec("referrals:refer", needs=("referral",)),
        "referral": GroupSpec(
            "Referrals to other organisations: list, answer, deliver, withdraw.",
            "referrals:list_referrals",
            {
                "list": CommandSpec("referrals:list_referrals"),
                "accept": CommandSpec("referrals:accept"),
                "decline": CommandSpec("referrals:decline"),
                "deliver": CommandSpec("referrals:deliver"),
                "complete": CommandSpec("referrals:complete"),
                "withdraw": CommandSpec("referrals:withdraw"),
            },
            needs=("referral",),
        ),
        "consent": GroupSpec(
            "Consents: what may be shared, and what was shared.",
            None,
            {"list": CommandSpec("referrals:list_shared"), "withdraw": CommandSpec("referrals:withdraw_consent")},
            needs=("consent", "referral"),
        ),
        "agenda": CommandSpec("waiting_work:agenda"),
        "caseload": CommandSpec("waiting_work:caseload", needs=("case",)),
        "eligible": CommandSpec("programmes:eligible", needs=("programme", "household")),
        "duplicates": GroupSpec(
            "Possible duplicates: find, compare, merge or reject them.",
            "duplicates:duplicates",
            {
                "list": CommandSpec("duplicates:duplicates"),
                "scan": CommandSpec("duplicates:scan"),
                "show": CommandSpec("duplicates:show"),
                "merge": CommandSpec("duplicates:merge"),
                "split": CommandSpec("duplicates:split"),
                "not-same": CommandSpec("duplicates:not_same"),
                "bulk": CommandSpec("duplicates:bulk"),
            },
            needs=("person",),
        ),
        "import": CommandSpec("files:import_file"),
        "export": CommandSpec("files:export"),
        "report": CommandSpec("reports:report"),
        "schema": GroupSpec(
            "The forms: record types and their fields.",
            None,
            {
                "list": CommandSpec("files:list_types"),
                "show": CommandSpec("files:show_type"),
                "check": CommandSpec("files:check_folder"),
                "import": CommandSpec("files:import_form"),
                "publish": CommandSpec("files:publish"),
            },
        ),
        "server": GroupSpec(
            "An organisation's server: set it up, run it, invite people, lock devices.",
            None,
            {
                "init": CommandSpec("server:init"),
                "run": CommandSpec("server:run"),
                "migrate": CommandSpec("servers.migrate:migrate"),
                "load": CommandSpec("servers.load:load"),
                "invite": CommandSpec("server:invite"),
                "devices": CommandSpec("server:devices"),
                "fleet": CommandSpec("servers.fleet:fleet"),
                "revoke": CommandSpec("device_locks:revoke"),
                "pending": CommandSpec("device_locks:pending"),
                "approve": CommandSpec("device_locks:approve"),
                "grant": CommandSpec("server:grant"),
                "upstream": GroupSpec(
                    "The upstream server: become its branch, sync with it, schedule the nightly sync.",
                    None,
                    {
                        "set": CommandSpec("upstream:attach"),
                        "sync": CommandSpec("upstream:sync"),
                        "schedule": CommandSpec("upstream:schedule"),
                    },
                ),
                "check": CommandSpec("backup:check"),
                "backup": GroupSpec(
                    "An encrypted backup of this server into one file, or by schedule.",
                    "backup:backup",
                    {"now": CommandSpec("servers.backups:now"), "schedule": CommandSpec("servers.backups:schedule")},
                    takes=True,
                ),
                "restore": CommandSpec("servers.backups:restore"),
            },
        ),
        "demo": CommandSpec("fieldsync.demo.story:demo"),
        "completion": CommandSpec("support.completion:completion"),
    },
    parts={
        "part_records": ("add", "edit", "show", "list", "find", "history", "remove", "move", "undo", "household"),
        "part_sync": ("status", "sync", "refused", "pack", "unpack", "join"),
        "part_cases": ("case", "agenda", "caseload", "refer", "referral", "consent", "eligible"),
        "part_decisions": ("review", "duplicates", "overlaps"),
        "part_office": ("import", "export", "report", "schema"),
        "part_laptop": ("passphrase", "unlock", "lock", "check", "backup", "restore", "doctor", "completion", "demo"),
        "part_server": ("server", "quarantine"),
    },
)


def main() -> None:
    """Run one command and exit with a code of docs/cli.md."""
    process.harden()
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Run one command line; return its exit code, after all output."""
    try:
        from fieldsync.ui.terminal import code_pages

        loss = code_pages.prepare_streams()
        settings = Settings(json="--json" in words)
        code = _run_command(words, settings, shows_arabic=code_pages.holds_arabic(sys.stdout))
        if loss.letters and not settings.json:
            from fieldsync.ui.terminal import output
            from fieldsync.ui.terminal.messages import phrase

            encoding = sys.stdout.encoding if not code_pages.holds_arabic(sys.stdout) else sys.stderr.encoding
            output.write_stderr(phrase("letters_lost", "en", encoding=encoding), "en")
    except KeyboardInterrupt:
        return 130
    return code


def _run_command(words: list[str], settings: Settings, *, shows_arabic: bool) -> int:
    try:
        try:
            rest = take_settings(words, settings)
            settings.check()
            if settings.language == "ar" and not settings.json and not shows_arabic:
                settings.lang = "en"  # a language that is seen, before one that is signs
            code = command_runner(COMMANDS)(rest, settings)
            sys.stdout.flush()
        except BrokenPipeError:
            # whoever read our output has enough of it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
    except KeyboardInterrupt:
        return 130
    except errors.FieldsyncError as error:
        return _report_error(error, settings)
    except OSError as fault:
        if fault.errno == errno.ENOSPC:
            return _report_error(errors.DiskFull(), settings)
        if fault.errno == errno.EROFS:
            return _report_error(errors.StoreReadOnly(), settings)
        return _unforeseen(fault, settings)
    except Exception as fault:  # noqa: BLE001 - the last place: a person gets one line, never a traceback
        return _unforeseen(fault, settings)
    return code


def _unforeseen(fault: Exception, settings: Settings) -> int:
    """Report an internal fault, with a traceback on request."""
    if os.environ.get("FIELDSYNC_DEBUG") == "1":
        raise fault
    return _report_error(errors.Unexpected(where=f"{type(fault).__name__}{_fault_place(fault)}"), settings)


def _fault_place(fault: BaseException) -> str:
    """Return the position of a fault without values."""
    at = fault.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return "" if at is None else f" in {Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}"


def _report_error(error: errors.FieldsyncError, settings: Settings) -> int:
    from fieldsync.ui.terminal import messages, output

    message, hint = messages.explain_error(error, settings.language, settings.schema)
    if settings.json:
        told = {"code": error.code, "message": message, "hint": hint, "facts": error.facts}
        commands.write_json({"error": told})
    else:
        output.write_stderr("\n".join(line for line in (message, hint) if line), settings.language, settings.rtl)
    return error.exit
