"""Forms on a full screen, and their drafts."""

WORDS = {
    "form_missing": "still needed: {n}",
    "form_done": "✓ Save",
    "form_add_member": "＋ Add a member",
    "form_choose": "choose one of these, or type more of it",
    "form_pick": "One of these: type a part of it, in either language, or use the arrows.",
    "form_set": "Several: Enter adds, Backspace takes the last one out.",
    "key_next": "next",
    "key_field": "next field",
    "key_save_anyway": "save all the same",
    "key_save": "save",
    "draft_found": "What was typed until {at} was kept: {n} answers. Go on with it?",
    "draft_take": "go on with it",
    "draft_drop": "throw it away",
    "draft_keep": "keep it for later",
    "draft_go_on": "go on typing",
    "draft_leave": "Not saved yet.",
    "draft_changed": "Changed by others meanwhile, so not taken from what you typed: {fields}",
    "draft_not_kept": "✗ What you type cannot be kept for later now: {why}",
    "draft_is_kept": "Not saved. What you typed is kept, and offered when you open this form again.",
}
