"""Devices: how each stands with its server, locking them out, approving them."""

WORDS = {
    "device_known": "heard of",
    "device_enrolled": "enrolled",
    "device_revoked": "locked out",
    "device_forked": "copied",
    "device_waiting": "waits for approval",
    "on_word": "taken on the word of {server}",
    "column_copy_of": "Copy of",
    "column_enrolled_by": "Enrolled by",
    "column_enrolled": "Enrolled",
    "lock_too": "Lock {device} ({person}) as well? [y/n]",
    "family_left": "Not locked: {devices}. With --all the whole family is locked.",
    "approve_next": "Approve one at headquarters: fieldsync server approve {device}",
    "none_pending": "No device waits for approval.",
    "device_approved": "{device} ({person}) is approved: it works from its next sync on.",
    "ask_since": "Since when was it out of its person's hands (for example 31/10/2026 or 2026-10-31 14:30; Enter: it never was)?",
    "ask_key_words": "The six words that {device} shows, as its person reads them out:",
    "waits_for_approval": (
        "This device waits for approval: what you save is kept and sent, and nothing comes down until headquarters approves it. "
        "Read these six words out to them: {words}"
    ),
}
