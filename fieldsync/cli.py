"""The whole command tree on one screen; errors become words and exit codes here, and nowhere else."""

import errno
import gc
import os
import sys
from pathlib import Path

from fieldsync import commands, errors
from fieldsync.commands.support import process
from fieldsync.commands.support.lazy_tree import Branch, Leaf, grow
from fieldsync.commands.support.settings import Settings, take_settings

# a sync makes a million small objects and no cycles: look for garbage seldom
GARBAGE = 1_000_000, 20, 100
TREE = Branch(
    "Offline-first records for people who work where there is no signal.",
    "overview:standing",
    {
        "status": Leaf("sync:status"),
        "join": Leaf("join:join"),
        "add": Leaf("records:add"),
        "edit": Leaf("records:edit"),
        "show": Leaf("records:show"),
        "list": Leaf("records:list_records"),
        "find": Leaf("records:find"),
        "history": Leaf("records:history"),
        "remove": Leaf("records:remove"),
        "move": Leaf("transfer:move"),
        "household": Branch(
            "What happens in families: reported by whoever hears of it, verified by a supervisor.",
            None,
            {
                "birth": Leaf("households:birth"),
                "death": Leaf("households:death"),
                "move": Leaf("households:move"),
                "marry": Leaf("households:marry"),
                "split": Leaf("households:split"),
                "verify": Leaf("households:verify"),
            },
            needs=("household", "household_event"),
        ),
        "sync": Leaf("sync:sync"),
        "pack": Leaf("bundles:pack"),
        "unpack": Leaf("bundles:unpack"),
        "check": Leaf("backup:check"),
        "backup": Leaf("backup:backup"),
        "restore": Leaf("backup:restore"),
        "passphrase": Leaf("passphrase:passphrase"),
        "quarantine": Branch(
            "Saves that a server verified and did not apply: which and why; released or dropped by a person.",
            "quarantine:list_saves",
            {
                "list": Leaf("quarantine:list_saves"),
                "release": Leaf("quarantine:release"),
                "drop": Leaf("quarantine:drop"),
            },
        ),
        "doctor": Branch(
            "Look whether this computer is fit for the work: store, disk, servers, clock, network, terminal, versions.",
            "doctor:doctor",
            {"rtl": Leaf("doctor:rtl")},
        ),
        "review": Branch(
            "Decide what machines cannot: one conflict at a time, or as scripts do it.",
            "review:review",
            {
                "list": Leaf("review:list_items"),
                "show": Leaf("review:show"),
                "take": Leaf("review:take"),
                "bulk": Leaf("review:bulk"),
                "undo": Leaf("review:undo"),
            },
        ),
        "overlaps": Branch(
            "Aid without duplication: what a household has twice.",
            "overlaps:overlaps",
            {"list": Leaf("overlaps:overlaps"), "both": Leaf("overlaps:both"), "drop": Leaf("overlaps:drop")},
            needs=("household",),
        ),
        "case": Branch(
            "Case management: opened, assessed, planned, carried out, closed.",
            None,
            {
                "open": Leaf("cases:open_case"),
                "assess": Leaf("cases:assess"),
                "plan": Leaf("cases:plan"),
                "advance": Leaf("cases:advance"),
                "approve": Leaf("cases:approve"),
                "return": Leaf("cases:send_back"),
                "close": Leaf("cases:close"),
                "reopen": Leaf("cases:reopen"),
                "transfer": Leaf("cases:transfer"),
            },
            needs=("case",),
        ),
        "refer": Leaf("referrals:refer", needs=("referral",)),
        "referral": Branch(
            "What was referred to other organisations: answered, delivered, taken back, still open.",
            "referrals:list_referrals",
            {
                "list": Leaf("referrals:list_referrals"),
                "accept": Leaf("referrals:accept"),
                "decline": Leaf("referrals:decline"),
                "deliver": Leaf("referrals:deliver"),
                "complete": Leaf("referrals:complete"),
                "withdraw": Leaf("referrals:withdraw"),
            },
            needs=("referral",),
        ),
        "consent": Branch(
            "What may be shared of whom, and what was.",
            None,
            {"list": Leaf("referrals:list_shared"), "withdraw": Leaf("referrals:withdraw_consent")},
            needs=("consent", "referral"),
        ),
        "agenda": Leaf("cases:agenda"),
        "caseload": Leaf("cases:caseload", needs=("case",)),
        "eligible": Leaf("programmes:eligible", needs=("programme", "household")),
        "duplicates": Branch(
            "Records that may be one: find them, compare them, say whether they are.",
            "duplicates:duplicates",
            {
                "list": Leaf("duplicates:duplicates"),
                "scan": Leaf("duplicates:scan"),
                "show": Leaf("duplicates:show"),
                "merge": Leaf("duplicates:merge"),
                "split": Leaf("duplicates:split"),
                "not-same": Leaf("duplicates:not_same"),
            },
            needs=("person",),
        ),
        "import": Leaf("files:import_file"),
        "export": Leaf("files:export"),
        "report": Leaf("reports:report"),
        "schema": Branch(
            "The forms: which record types and fields there are.",
            None,
            {
                "list": Leaf("files:list_types"),
                "show": Leaf("files:show_type"),
                "check": Leaf("files:check_folder"),
                "import": Leaf("files:import_form"),
                "publish": Leaf("files:publish"),
            },
        ),
        "server": Branch(
            "An office's server: set it up, run it, invite people, lock devices out.",
            None,
            {
                "init": Leaf("server:init"),
                "run": Leaf("server:run"),
                "invite": Leaf("server:invite"),
                "devices": Leaf("server:devices"),
                "revoke": Leaf("device_locks:revoke"),
                "pending": Leaf("device_locks:pending"),
                "approve": Leaf("device_locks:approve"),
                "grant": Leaf("server:grant"),
                "upstream": Branch(
                    "The server above this one: become its branch, sync with it, every night by itself.",
                    None,
                    {
                        "set": Leaf("upstream:attach"),
                        "sync": Leaf("upstream:sync"),
                        "schedule": Leaf("upstream:schedule"),
                    },
                ),
                "check": Leaf("backup:check"),
                "backup": Leaf("backup:backup"),
                "restore": Leaf("backup:restore"),
            },
        ),
        "demo": Leaf("fieldsync.demo.story:demo"),
        "completion": Leaf("support.completion:completion"),
    },
)


def main() -> None:
    """Run one command and exit as docs/cli.md says."""
    gc.set_threshold(*GARBAGE)
    process.harden()
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Run one command line; return its exit code, everything said."""
    try:
        from fieldsync.ui.terminal import code_pages

        loss = code_pages.prepare_streams()
        settings = Settings(json="--json" in words)
        code = _run(words, settings, shows_arabic=code_pages.holds_arabic(sys.stdout))
        if loss.letters and not settings.json:
            from fieldsync.ui.terminal import output
            from fieldsync.ui.terminal.messages import phrase

            encoding = sys.stdout.encoding if not code_pages.holds_arabic(sys.stdout) else sys.stderr.encoding
            output.write_stderr(phrase("letters_lost", "en", encoding=encoding), "en")
    except KeyboardInterrupt:
        return 130
    return code


def _run(words: list[str], settings: Settings, *, shows_arabic: bool) -> int:
    try:
        try:
            rest = take_settings(words, settings)
            settings.check()
            if settings.language == "ar" and not settings.json and not shows_arabic:
                settings.lang = "en"  # a language that is seen, before one that is signs
            code = grow(TREE)(rest, settings)
            sys.stdout.flush()
        except BrokenPipeError:
            # whoever read our output has enough of it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
    except KeyboardInterrupt:
        return 130
    except errors.FieldsyncError as error:
        return _say(error, settings)
    except OSError as fault:
        if fault.errno == errno.ENOSPC:
            return _say(errors.DiskFull(), settings)
        if fault.errno == errno.EROFS:
            return _say(errors.StoreReadOnly(), settings)
        return _unforeseen(fault, settings)
    except Exception as fault:  # noqa: BLE001 - the last place: a person gets one line, never a traceback
        return _unforeseen(fault, settings)
    return code


def _unforeseen(fault: Exception, settings: Settings) -> int:
    """Say that it is our fault; whoever looks for it gets the traceback."""
    if os.environ.get("FIELDSYNC_DEBUG") == "1":
        raise fault
    return _say(errors.Unexpected(where=f"{type(fault).__name__}{_where(fault)}"), settings)


def _where(fault: BaseException) -> str:
    """Where it happened, without what it was about: no value gets into an error."""
    at = fault.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return "" if at is None else f" in {Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}"


def _say(error: errors.FieldsyncError, settings: Settings) -> int:
    from fieldsync.ui.terminal import messages, output

    message, hint = messages.explain_error(error, settings.language, settings.schema)
    if settings.json:
        told = {"code": error.code, "message": message, "hint": hint, "facts": error.facts}
        commands.write_json({"error": told})
    else:
        output.write_stderr("\n".join(line for line in (message, hint) if line), settings.language, settings.rtl)
    return error.exit
