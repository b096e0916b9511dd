"""Texts of the quarantine: saves that a server verified and did not apply."""

WORDS = {
    "quarantine_empty": "Nothing is in quarantine.",
    "quarantine_no_match": "No save in quarantine matches. See all of them: fieldsync quarantine list",
    "quarantine_save": "{save} by {by}, record {record}, since {since}: {state}",
    "quarantine_is_waits": "pending",
    "refused_none": "No server has refused any of your saves.",
    "refused_next": (
        "They are safe here. Enter again what should stand (fieldsync edit), then clear them from this list: "
        "fieldsync refused clear --all"
    ),
    "refused_cleared": "Cleared: {n}. Still listed: {left}.",
    "usage.which_refused": "No save was named; nothing was changed.",
    "usage.which_refused!": "Name them, or give --all. See them: fieldsync refused list",
    "not_found.refused_save": "{name} is not one of the refused saves; nothing was changed.",
    "not_found.refused_save!": "See them: fieldsync refused list",
    "quarantine_is_refused": "refused",
    "quarantine_is_released": "released",
    "quarantine_is_taken": "applied since",
    "quarantine_act_release": "released by {by}, {at}: {note}",
    "quarantine_act_drop": "rejected by {by}, {at}: {note}",
    "quarantine_next": (
        "Apply one: fieldsync quarantine release DEVICE:SEQ; reject it for good: fieldsync quarantine drop DEVICE:SEQ"
    ),
    "quarantine_next_laptop": (
        "They are safe on this laptop. Pending ones are applied automatically; your office can release the others."
    ),
    "not_found.quarantined": "{name} is not in quarantine; nothing was changed.",
    "not_found.quarantined!": "See what is: fieldsync quarantine list",
    "quarantine_released": "Released and applied: {n}",
    "quarantine_left": "Not applied, for the reason given: {n}",
    "quarantine_dropped": "Rejected for good; they stay in the log: {n}",
}
