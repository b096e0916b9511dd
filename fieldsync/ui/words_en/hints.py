"""What to do next, where an error's own module does not say it."""

_LOOK = "Look at its name and whether you may read it, then do it again."

WORDS = {
    "bad_file!": _LOOK,
    "bad_file.missing!": "Look at its name: a path with spaces stands in quotation marks.",
    "bad_file.unreadable!": _LOOK,
    "bad_file.unwritable!": "Name another folder, or one that you may write to.",
    "bad_file.csv!": "Look at that line in a text editor: a quotation mark may be missing. Correct it and import again.",
    "bad_file.empty!": "Save it again from the program that it comes from, and import that.",
    "bad_file.form_empty!": "Give a workbook whose sheet survey asks something.",
    "bad_file.form_large!": "Split the form, or take out the rows that nobody needs.",
    "bad_file.json_object!": 'It is written like {{"family_name": "أحمد"}}; the fields: fieldsync schema show TYPE',
    "bad_file.no_key!": "Name a field that has a column with --key FIELD, or map one with --map COLUMN=FIELD.",
    "bad_file.no_schema!": "Name the folder that holds the forms.",
    "bad_file.twice!": "Leave one of the columns out with --map COLUMN=",
    "bad_input!": "Correct it and do it again.",
    "bad_input.short_secret!": "Make a longer one, such as: openssl rand -out FILE 32",
    "bad_signature!": "Sync again; if it stays so, ask your office whether this device is still enrolled.",
    "damaged!": "Copy the whole folder away before anything else, then tell your office.",
    "error!": "fieldsync doctor looks whether this computer is fit for the work.",
    "fault!": "Do it again; if it stays so, tell whoever looks after the server.",
    "locked!": "Give its passphrase, or --passphrase-file FILE.",
    "must_decide!": "See what waits: fieldsync review list",
    "no_contact!": "Go on working, and sync again when there is a line.",
    "no_undo!": "See what was decided, and when: fieldsync history RECORD",
    "not_found!": "See what there is: fieldsync --help",
    "refused!": "Ask your office what this device and your role may do.",
    "schema_faults!": "Correct the forms, and look again with: fieldsync schema check DIR",
    "slot_policy!": "Do not use this copy: take one from before, or tell your office.",
    "too_large!": "Split it, and do it again with the parts.",
    "unit_refused!": "Your units stand in: fieldsync status. Another one is granted by your office.",
}
