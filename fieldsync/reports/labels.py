"""Labels for a report's values in the reader's language: the report's own words and the forms' choices; other values unchanged."""

from fieldsync.reports.definitions import Report
from fieldsync.schema.labels import label_in
from fieldsync.schema.model import Schema


def value_label(report: Report, schema: Schema, column: str, value: object, lang: str) -> object:
    """Return the label of a value."""
    spec = report.header.columns[column]
    if spec.kind == "word":
        words = report.header.words.get(str(value))
        if words is not None:
            return label_in(words, lang)
    if spec.of and isinstance(value, str):
        type_, _, field = spec.of.partition(".")
        kind = schema.types.get(type_)
        if kind is not None and field in kind.fields:
            return kind.fields[field].value_words(value, lang)
    return value
