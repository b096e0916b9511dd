"""Names of the objects that an error identifies by a code: too large, of another version, damaged, missing."""

WORDS = {
    "thing_backup": "backup",
    "thing_bundle": "bundle",
    "thing_commit": "save",
    "thing_refused_save": "refused save",
    "thing_file": "file",
    "thing_forms": "forms",
    "thing_frame": "piece of a sync",
    "thing_protocol": "sync protocol",
    "thing_quarantined": "quarantined save",
    "thing_record": "record",
    "thing_report": "report",
    "thing_request": "request",
    "thing_rows": "rows",
    "thing_schema": "forms",
    "thing_server": "server",
    "thing_slots": "key slots",
    "thing_store": "store",
    "thing_values": "values",
}
