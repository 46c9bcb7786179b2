"""Lists for programs: CSV and JSON lines, with the type beside each value and what is mapped."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from connector.adapter import FieldValue, Observable, ObservableType
from connector_edl.dialect import (
    ADDRESS_VALUES,
    Dialect,
    NotWritableError,
    Writer,
    domain,
    in_one_line,
)

_EVERY: Final = frozenset(ObservableType)
_FORMULA: Final = re.compile(r"[=+@-]")  # where a spreadsheet would begin to calculate


def _row(columns: Sequence[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(columns)
    return line.getvalue()


def _value(value: str) -> str:
    if _FORMULA.match(value):
        raise NotWritableError("could be read as a formula by a spreadsheet")
    return _any_value(value)


def _any_value(value: str) -> str:
    if not value.isprintable():
        raise NotWritableError("contains a line break or control character")
    return value


def csv_head(columns: Sequence[str]) -> str:
    """Return the first line of a CSV file."""
    return _row(["type", "value", *columns]) + "\n"


def csv_row(
    line: str, observable: Observable, fields: Mapping[str, FieldValue], columns: Sequence[str]
) -> str:
    """Return the line of an entry; no field can begin a formula."""
    said = (in_one_line(str(fields.get(name, ""))) for name in columns)
    return _row([observable.type, line, *(_FORMULA.sub(" ", one[:1]) + one[1:] for one in said)])


def _object(line: str, observable: Observable, fields: Mapping[str, FieldValue]) -> str:
    told = {"type": observable.type.value, "value": line, **fields}
    return json.dumps(told, ensure_ascii=True)


def _value_of_row(line: str) -> str | None:
    row = next(csv.reader([line]), [])
    return row[1] if len(row) > 1 else None


def _value_of_object(line: str) -> str | None:
    try:
        return str(json.loads(line)["value"])
    except (ValueError, KeyError, TypeError):
        return None


def _writers(write: Writer) -> Mapping[ObservableType, Writer]:
    kinds = dict.fromkeys(ObservableType, write)
    return {**kinds, **ADDRESS_VALUES, ObservableType.DOMAIN_NAME: domain}


CSV: Final = Dialect(
    families=(_EVERY,),
    writers=_writers(_value),
    tabular=True,
    remarks=False,
    value_on=_value_of_row,
)
JSONL: Final = Dialect(
    families=(_EVERY,),
    writers=_writers(_any_value),
    complete=_object,
    remarks=False,
    value_on=_value_of_object,
)
