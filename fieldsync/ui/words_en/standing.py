"""Texts of the overview."""

WORDS = {
    "stands_empty": "This computer has no store yet (looked for in {folder}).",
    "stands_no_conflicts": "no conflicts",
    "stands_due": "due today: {n}, late: {late}",
    "stands_no_due": "nothing is due today",
    "stands_aside": "saves in the server's quarantine: {n}",
    "n_duplicates": "possible duplicates: {n}",
    "n_overlaps": "overlaps: {n}",
    "n_uncompared": "not compared yet: {n} (review does it)",
    "stands_next": "Next:",
    "stands_next_join": "with an invite from your office",
    "stands_next_demo": "to see how it works, without an invite",
    "stands_next_status": "see the quarantined saves and the reasons",
    "stands_next_review": "decide open conflicts",
    "stands_next_agenda": "see what is due",
    "stands_next_sync": "send and fetch, when there is a connection",
    "stands_next_add": "register a family",
    "stands_next_add_type": "a new record ({label})",
    "stands_next_devices": "see who is enrolled",
    "stands_help": "all commands",
}
