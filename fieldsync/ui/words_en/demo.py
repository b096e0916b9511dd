"""Texts of the demo."""

WORDS = {
    "demo_begin": (
        "Real processes, real encrypted stores, real HTTPS, all in a temporary folder.\n"
        "Key files stand in for passphrases here, which would take a second each time."
    ),
    "demo_step_office": "Headquarters sets up its server.\nFingerprint {fingerprint}",
    "demo_step_join": "Amal, Basim (caseworkers) and Samar (supervisor) join with invites.",
    "demo_step_import": "The server is off. Amal brings in a list of households.",
    "demo_imported": "{n} households imported offline in {seconds} s.",
    "demo_step_first": "The server is on. Amal sends {n} saves, {each} bytes each.",
    "demo_fetched": "Basim and Samar fetch {n} households, {each} bytes each.",
    "demo_step_offline": (
        "No connection again. Amal and Basim both change household {code}:\n"
        "the same field differently, and Basim another field besides."
    ),
    "demo_offline": "Saved on both laptops; a sync says “no contact” and loses nothing.",
    "demo_step_conflict": (
        "All sync. The address merged by itself; the place is in conflict:\n"
        "{a} / {b}. Both values are kept, everybody sees the mark."
    ),
    "demo_review_shown": "That was her screen, fieldsync review, at work.",
    "demo_step_decided": "Samar decides for {value}, with a note, and all sync again.",
    "demo_step_equal": (
        "All four stores show the decision and are equal; headquarters is sound.\nDigest of {unit}: {digest}"
    ),
    "demo_step_history": "The history keeps {n} saves: who, when, old → new, and what lost.",
    "demo_nothing": "A sync with nothing to do: {requests} request, {bytes} bytes both ways.",
    "demo_bad": "✗ The result is not as described: {fault}",
    "demo_end": "Done in {seconds} s. Nothing is left behind.",
    "column_who": "Sync of",
    "column_sent": "Sent",
    "column_fetched": "Fetched",
    "column_up": "Bytes up",
    "column_down": "Bytes down",
    "column_requests": "Requests",
    "column_seconds": "Seconds",
}
