"""The whole command tree on one screen; errors become words and exit codes here, and nowhere else."""

import errno
import gc
import os
import sys
from pathlib import Path

from fieldsync import commands, errors
from fieldsync.commands import process
from fieldsync.commands.tree import Branch, Leaf, grow

# a sync makes a million small objects and no cycles: look for garbage seldom
GARBAGE = 1_000_000, 20, 100
TREE = Branch(
    "Offline-first records for people who work where there is no signal.",
    "standing:standing",
    {
        "status": Leaf("laptop:status"),
        "join": Leaf("joining:join"),
        "add": Leaf("laptop:add"),
        "edit": Leaf("laptop:edit"),
        "show": Leaf("laptop:show"),
        "list": Leaf("laptop:list_records"),
        "find": Leaf("laptop:find"),
        "history": Leaf("laptop:history"),
        "remove": Leaf("laptop:remove"),
        "move": Leaf("moving:move"),
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
        ),
        "sync": Leaf("laptop:sync"),
        "pack": Leaf("sticks:pack"),
        "unpack": Leaf("sticks:unpack"),
        "check": Leaf("copies:check"),
        "backup": Leaf("copies:backup"),
        "restore": Leaf("copies:restore"),
        "passphrase": Leaf("laptop:passphrase"),
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
            "supervise:review",
            {
                "list": Leaf("supervise:list_items"),
                "show": Leaf("supervise:show"),
                "take": Leaf("supervise:take"),
                "bulk": Leaf("supervise:bulk"),
                "undo": Leaf("supervise:undo"),
            },
        ),
        "overlaps": Branch(
            "Aid without duplication: what a household has twice.",
            "overlaps:overlaps",
            {"list": Leaf("overlaps:overlaps"), "both": Leaf("overlaps:both"), "drop": Leaf("overlaps:drop")},
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
        ),
        "refer": Leaf("referring:refer"),
        "referral": Branch(
            "What was referred to other organisations: answered, delivered, taken back, still open.",
            "referring:list_referrals",
            {
                "list": Leaf("referring:list_referrals"),
                "accept": Leaf("referring:accept"),
                "decline": Leaf("referring:decline"),
                "deliver": Leaf("referring:deliver"),
                "complete": Leaf("referring:complete"),
                "withdraw": Leaf("referring:withdraw"),
            },
        ),
        "consent": Branch(
            "What may be shared of whom, and what was.",
            None,
            {"list": Leaf("referring:list_shared"), "withdraw": Leaf("referring:withdraw_consent")},
        ),
        "agenda": Leaf("cases:agenda"),
        "caseload": Leaf("cases:caseload"),
        "eligible": Leaf("programmes:eligible"),
        "duplicates": Branch(
            "Records that may be one: find them, compare them, say whether they are.",
            "pairs:duplicates",
            {
                "list": Leaf("pairs:duplicates"),
                "scan": Leaf("pairs:scan"),
                "show": Leaf("pairs:show"),
                "merge": Leaf("pairs:merge"),
                "split": Leaf("pairs:split"),
                "not-same": Leaf("pairs:not_same"),
            },
        ),
        "import": Leaf("office:import_file"),
        "export": Leaf("office:export"),
        "report": Leaf("reporting:report"),
        "schema": Branch(
            "The forms: which record types and fields there are.",
            None,
            {
                "list": Leaf("office:list_types"),
                "show": Leaf("office:show_type"),
                "check": Leaf("office:check_folder"),
                "import": Leaf("office:import_form"),
                "publish": Leaf("office:publish"),
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
                "revoke": Leaf("locking:revoke"),
                "pending": Leaf("locking:pending"),
                "approve": Leaf("locking:approve"),
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
                "check": Leaf("copies:check"),
                "backup": Leaf("copies:backup"),
                "restore": Leaf("copies:restore"),
            },
        ),
        "demo": Leaf("demo:demo"),
        "completion": Leaf("completion:completion"),
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
        from fieldsync.ui import code_pages

        loss = code_pages.prepare()
        settings = commands.Settings(json="--json" in words)
        code = _run(words, settings, shows_arabic=code_pages.holds_arabic(sys.stdout))
        if loss.letters and not settings.json:
            from fieldsync.ui import terminal
            from fieldsync.ui.words import phrase

            encoding = sys.stdout.encoding if not code_pages.holds_arabic(sys.stdout) else sys.stderr.encoding
            terminal.aside(phrase("letters_lost", "en", encoding=encoding), "en")
    except KeyboardInterrupt:
        return 130
    return code


def _run(words: list[str], settings: commands.Settings, *, shows_arabic: bool) -> int:
    try:
        try:
            rest = commands.take_settings(words, settings)
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


def _unforeseen(fault: Exception, settings: commands.Settings) -> int:
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


def _say(error: errors.FieldsyncError, settings: commands.Settings) -> int:
    from fieldsync.ui import terminal, words

    message, hint = words.explain(error, settings.language, settings.schema)
    if settings.json:
        told = {"code": error.code, "message": message, "hint": hint, "facts": error.facts}
        commands.write_json({"error": told})
    else:
        terminal.aside("\n".join(line for line in (message, hint) if line), settings.language, settings.rtl)
    return error.exit


if __name__ == "__main__":
    main()
