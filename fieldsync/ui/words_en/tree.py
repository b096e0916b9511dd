"""Branches, sticks, bad lines: joining that was cut off, receipts, budgets, letters."""

WORDS = {
    "no_store.joining": "Joining from {home} was cut off; nothing is lost.",
    "no_store.joining!": "Join again with the same invite: fieldsync join INVITE.",
    "cut_off.joining": "The line to {server} was cut before it answered; nothing is lost.",
    "cut_off.joining!": "Join again with the same invite: it goes on where it stopped.",
    "invite_invalid.enrolled": "The server knows this laptop already; the invite was not used.",
    "invite_invalid.enrolled!": "Go on as before: fieldsync sync.",
    "health_letters_twice": (
        "two devices have the same letters, so that records may have the same codes; look at them: fieldsync server devices"
    ),
}
