"""The quarantine: saves that a server verified and did not apply."""

WORDS = {
    "quarantine_empty": "Nothing is in quarantine.",
    "quarantine_no_match": "No save in quarantine matches. See all of them: fieldsync quarantine list",
    "quarantine_save": "{save} by {by}, record {record}, since {since}: {state}",
    "quarantine_is_waits": "waits",
    "refused_none": "No server has refused anything of yours.",
    "refused_next": "They are safe here. Write anew what should stand (fieldsync edit), then put them aside: fieldsync refused clear --all",
    "refused_cleared": "Put aside: {n}. Still listed: {left}.",
    "usage.which_refused": "Which saves? Nothing was changed.",
    "usage.which_refused!": "Name them, or give --all. See them: fieldsync refused list",
    "not_found.refused_save": "{name} is none of the refused saves; nothing was changed.",
    "not_found.refused_save!": "See them: fieldsync refused list",
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
