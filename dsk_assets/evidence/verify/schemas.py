"""Whether a statement has the form that the JSON Schema of its predicate asks for."""

import json
from collections.abc import Iterator
from functools import cache

import jsonschema_rs

from dsk_assets.evidence import predicates
from dsk_assets.evidence.verify.envelopes import unseal


def problems(envelope: bytes) -> Iterator[str]:
    """Where the statement in *envelope* departs from its schema; no value of it is quoted."""
    statement = json.loads(unseal(envelope)[0])
    if statement["predicateType"] not in predicates.TYPES:
        yield "predicateType"
        return
    validator = _validator(statement["predicateType"])
    try:
        if not validator.is_valid(statement):
            for error in validator.iter_errors(statement):
                yield "/".join(map(str, error.instance_path)) or "the whole"
    except ValueError:  # nested deeper than the library follows
        yield "the whole"


@cache
def _validator(predicate_type: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(predicates.schema(predicate_type))
