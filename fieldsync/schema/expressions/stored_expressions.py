"""Expressions stored in records, such as a programme's eligibility: checked before they are saved, like a form's own."""

from collections.abc import Mapping

from fieldsync import errors
from fieldsync.schema.expressions import parser
from fieldsync.schema.model import Schema, Type


def check_expressions(schema: Schema, kind: Type, values: Mapping[str, object]) -> None:
    """Refuse (IllegalValue) a rule that cannot be read, or that asks of fields that the types it is `over` do not have."""
    for name, text in values.items():
        field = kind.fields.get(name)
        if field is None or not field.over or not isinstance(text, str):
            continue
        try:
            rule = parser.compile_expression(text)
        except parser.ExpressionError as error:
            raise errors.IllegalValue(type=kind.name, field=name, reason="no_rule", at=error.at + 1) from error
        if rule.patterns:
            from fieldsync.schema import patterns  # few have any
        for pattern, at in rule.patterns:
            if patterns.pattern_matcher(pattern) is None:
                raise errors.IllegalValue(type=kind.name, field=name, reason="no_rule", at=at + 1)
        known = {one for over in field.over if over in schema.types for one in schema.types[over].fields}
        unknown = sorted(rule.names - known)
        if unknown:
            raise errors.IllegalValue(type=kind.name, field=name, reason="rule_field", unknown=unknown)
