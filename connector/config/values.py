"""Value types of the configuration file: intervals, names, markings, dates and networks."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from connector.model import ObservableType, RuleLanguage, SubjectType, Tlp
from connector.settings import Duration, write_duration

WORD_ERROR: Final = "refused_word"
NAME_PATTERN: Final = r"[a-z0-9][a-z0-9_-]{0,62}"
SHORTEST_INTERVAL: Final = timedelta(seconds=10)
LONGEST_INTERVAL: Final = timedelta(days=7)
DURATION_PATTERN: Final = "^[1-9][0-9]{0,8}[smhdw]$"
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LISTEN: Final = re.compile(r"(?:\[([0-9a-f:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})")
FILES: Final = "file"
RULES: Final = "rule"
DEFAULT: Final = "default"
AGE_KEYS: Final = (*(kind.value for kind in ObservableType), FILES, RULES, DEFAULT)


def _name(value: str) -> str:
    if not re.fullmatch(NAME_PATTERN, value):
        raise ValueError("should be at most 63 lower-case letters, digits, - and _")
    return value


Name = Annotated[
    str,
    AfterValidator(_name),
    WithJsonSchema({"type": "string", "pattern": f"^{NAME_PATTERN}$"}),
]
"""Name of a feed, list, output or client; used in file names, metrics and the audit."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
"""A short text that is not empty."""


def refused_word(words: Sequence[str], instead_of: str = "") -> PydanticCustomError:
    """Return the error for a word outside a closed list; its message puts the likeliest first.

    `instead_of` names what else is valid there.
    """
    context = {"words": tuple(words), "or": f"{instead_of} or " if instead_of else ""}
    return PydanticCustomError(WORD_ERROR, "should be another word", context)


def _interval(value: timedelta) -> timedelta:
    if value < SHORTEST_INTERVAL:
        raise ValueError(f"should be at least {write_duration(SHORTEST_INTERVAL)}")
    if value > LONGEST_INTERVAL:
        raise ValueError(f"should be at most {write_duration(LONGEST_INTERVAL)}")
    return value


Interval = Annotated[
    Duration,
    AfterValidator(_interval),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "$comment": "10s to 1w"}),
]
"""An interval from 10 seconds to a week."""


def _tlp(value: object) -> Tlp:
    if isinstance(value, Tlp):
        return value
    for marking in Tlp:
        if value == marking.label:
            return marking
    raise refused_word([marking.label for marking in Tlp])


TlpName = Annotated[
    Tlp,
    BeforeValidator(_tlp),
    PlainSerializer(lambda marking: marking.label),
    WithJsonSchema({"enum": [marking.label for marking in Tlp]}),
]
"""A TLP 2.0 marking as people write it."""


def _day(value: object) -> date:
    if isinstance(value, date):
        return value
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError("should be a day, such as 2027-06-30")


Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
"""A day; what it limits ends when the day ends (UTC)."""


def _network(value: object) -> IPv4Network | IPv6Network:
    try:
        if isinstance(value, str):
            return ip_network(value)
    except ValueError as error:
        if "host bits" in str(error):
            raise ValueError("should have no bits set beyond its prefix length") from None
    raise ValueError("should be an address or a network, such as 192.0.2.0/24")


Network = Annotated[
    IPv4Network | IPv6Network,
    BeforeValidator(_network),
    WithJsonSchema({"type": "string", "minLength": 2}),
]
"""An address or a network of either family."""


def listen_parts(value: str) -> tuple[str, int]:
    """Return host and port of `host:port` or `[address]:port`."""
    found = _LISTEN.fullmatch(value)
    if found is None or not 1 <= int(found[3]) <= 65535:
        raise ValueError("should be host:port, such as 127.0.0.1:8099 or [::1]:8099")
    return found[1] or found[2], int(found[3])


def _listen(value: str) -> str:
    listen_parts(value)
    return value


Listen = Annotated[
    str,
    AfterValidator(_listen),
    WithJsonSchema({"type": "string", "pattern": r"^(\[.+\]|[^:]+):[0-9]{1,5}$"}),
]
"""Host and port to listen on."""


def _ages(value: object) -> object:
    """Read one duration for all types, or one per type; `file` covers all file types."""
    if not isinstance(value, Mapping):
        return {DEFAULT: value}
    return value


def _age_key(value: str) -> str:
    if value not in AGE_KEYS:
        raise refused_word(AGE_KEYS)
    return value


MaxAge = Annotated[
    dict[Annotated[str, AfterValidator(_age_key)], Duration],
    BeforeValidator(_ages),
    WithJsonSchema(
        {
            "type": ["string", "object"],
            "pattern": DURATION_PATTERN,
            "propertyNames": {"enum": list(AGE_KEYS)},
            "additionalProperties": {"type": "string", "pattern": DURATION_PATTERN},
        }
    ),
]
"""One duration for all types, or one for each."""


def age_bound(ages: Mapping[str, timedelta], kind: SubjectType) -> timedelta | None:
    """Return the bound for one type: its own, that of all files or rules, or the default."""
    if isinstance(kind, RuleLanguage):
        return ages.get(RULES, ages.get(DEFAULT))
    if kind in ages:
        return ages[kind]
    if kind.startswith(FILES) and FILES in ages:
        return ages[FILES]
    return ages.get(DEFAULT)
