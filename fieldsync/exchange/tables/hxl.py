"""HXL hashtags (hxlstandard.org 1.1), which describe columns so that tables of several organisations can be combined."""

from fieldsync.schema.model import Field

SYSTEM = {"id": "#meta+id", "code": "#meta+code", "unit": "#org+unit", "updated": "#date+updated"}
_BY_TYPE = {
    "date": "#date",
    "month": "#date+month",
    "geopoint": "#geo+coord",
    "phone": "#contact+phone",
    "money": "#value",
    "int": "#indicator+num",
    "number": "#indicator+num",
    "choice": "#indicator+code",
    "state": "#status",
    "approval": "#status+approval",
    "bool": "#indicator+bool",
    "ref": "#meta+id",
    "paper": "#meta+paper",
}


def hxl_tag(field: Field) -> str:
    """Return a field's hashtag: its own, or one made from its type and name."""
    if field.hxl:
        return field.hxl
    kind = "#description" if field.or_text else _BY_TYPE.get(field.type, "#description")
    plural = "+list" if field.kind == "set" else ""
    return f"{kind}{plural}+{field.name}"
