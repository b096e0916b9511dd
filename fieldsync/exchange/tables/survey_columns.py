"""Columns that are not imported: of Kobo and ODK Central about a submission, such as its upload time, and of a list's row numbers."""

import re

_NAMES = frozenset({
    "_id", "_uuid", "_index", "_parent_index", "_parent_table_name", "_submission_time", "_submitted_by", "_status", "_notes",
    "_tags", "_validation_status", "_attachments", "_geolocation", "_version_", "_xform_id_string", "formhub/uuid",
    "meta/instanceID", "meta/instanceName", "meta/rootUuid", "meta/deprecatedID", "instanceID", "start", "end", "today",
    "deviceid", "username", "phonenumber", "simserial", "subscriberid", "KEY", "PARENT_KEY", "SubmissionDate", "SubmitterID",
    "SubmitterName", "DeviceID", "AttachmentsPresent", "AttachmentsExpected", "Edits", "Status", "ReviewState", "FormVersion",
    "__version__",
})  # fmt: skip
_ROW_NUMBERS = frozenset({
    "م", "مسلسل", "المسلسل", "تسلسل", "التسلسل", "الرقم التسلسلي", "الرقم المتسلسل", "#", "s/n", "sn", "s.n", "serial no", "serial number",
})  # fmt: skip
_PLACE = re.compile(r"_.+_(?:latitude|longitude|altitude|precision)")


def is_of_survey(header: str) -> bool:
    """Return whether a column describes a submission, or numbers the rows of a list."""
    return (
        header in _NAMES
        or header.strip(" .:").casefold() in _ROW_NUMBERS
        or header.startswith(("_submission_", "__"))
        or _PLACE.fullmatch(header) is not None
    )
