"""Texts of devices: status, locking, approval."""

WORDS = {
    "device_known": "not enrolled",
    "device_enrolled": "enrolled",
    "device_revoked": "revoked",
    "device_forked": "copied",
    "device_waiting": "awaits approval",
    "on_word": "accepted because {server} had taken it",
    "column_copy_of": "Copy of",
    "column_enrolled_by": "Enrolled by",
    "column_enrolled": "Enrolled",
    "lock_too": "Revoke {device} ({person}) as well? [y/n]",
    "family_left": "Not revoked: {devices}. With --all every copy is revoked.",
    "approve_next": "Approve one at headquarters: fieldsync server approve {device}",
    "none_pending": "No device awaits approval.",
    "device_approved": "{device} ({person}) is approved and works from its next sync.",
    "ask_since": "When was it lost or stolen (for example 31/10/2026 or 2026-10-31 14:30; Enter: it was not)?",
    "ask_key_words": "The six words that {device} shows, as its person reads them out:",
    "waits_for_approval": (
        "This device awaits approval: your work is saved and sent, and nothing is received until headquarters approves it. "
        "Read these six words out to them: {words}"
    ),
}
