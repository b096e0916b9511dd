"""The quarantine: saves that a server verified and did not apply."""

WORDS = {
    "quarantine_empty": "Nothing is in quarantine.",
    "quarantine_no_match": "No save in quarantine matches. See all of them: fieldsync quarantine list",
    "quarantine_save": "{save} by {by}, record {record}, since {since}: {state}",
    "quarantine_is_waits": "waits",
    "quarantine_is_refused": "refused",
    "quarantine_is_released": "released",
    "quarantine_is_taken": "applied since",
    "quarantine_act_release": "released by {by}, {at}: {note}",
    "quarantine_act_drop": "dropped by {by}, {at}: {note}",
    "quarantine_next": (
        "Apply one after all: fieldsync quarantine release DEVICE:SEQ; refuse it for good: fieldsync quarantine drop DEVICE:SEQ"
    ),
    "quarantine_next_laptop": (
        "They are safe on this laptop. What waits is applied by itself; for the others ask your office, which can release them."
    ),
    "not_found.quarantined": "{name} is not in quarantine; nothing was changed.",
    "not_found.quarantined!": "See what is: fieldsync quarantine list",
    "quarantine_released": "Released and applied: {n}",
    "quarantine_left": "Not applied, for the reason given: {n}",
    "quarantine_dropped": "Dropped for good; they stay in the log: {n}",
}
