"""The facts that all floors speak about: frozen values, no behaviour beyond reading them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec


class ObservableType(StrEnum):
    """Kinds of value that an enforcement point or a SIEM can match."""

    IPV4_ADDR = "ipv4-addr"
    IPV6_ADDR = "ipv6-addr"
    ENDPOINT = "endpoint"
    DOMAIN_NAME = "domain-name"
    URL = "url"
    EMAIL_ADDR = "email-addr"
    EMAIL_SUBJECT = "email-subject"
    FILE_MD5 = "file-md5"
    FILE_SHA1 = "file-sha1"
    FILE_SHA256 = "file-sha256"
    FILE_SHA512 = "file-sha512"
    FILE_NAME = "file-name"
    AUTONOMOUS_SYSTEM = "autonomous-system"
    USER_AGENT = "user-agent"
    X509_SHA1 = "x509-sha1"
    X509_SHA256 = "x509-sha256"
    MUTEX = "mutex"
    REGISTRY_KEY = "registry-key"
    PROCESS_COMMAND = "process-command"


_TEXTS: Final = frozenset(
    {
        ObservableType.EMAIL_SUBJECT,
        ObservableType.USER_AGENT,
        ObservableType.MUTEX,
        ObservableType.REGISTRY_KEY,
        ObservableType.PROCESS_COMMAND,
    }
)
_WILD: Final = re.compile(r"[*?%]")
_WILD_MAILBOX: Final = re.compile(r"[*?%].*@", re.DOTALL)
_WILD_FILE: Final = re.compile(r"[*?]")
_WORD: Final = re.compile(r"\w")
_OF_FEED: Final = " of "  # the names of feeds have no blanks, so the last one parts


class Observable(NamedTuple):
    """One typed value in its canonical form (`connector.indicators.observable` makes them).

    A domain name means exactly that name; `*.bad.example` means every name below it and not the
    name itself. Prefixes are written as in `198.51.100.0/24`; endpoints as `203.0.113.7:443/tcp`
    and `[2001:db8::7]:443/tcp`.
    """

    type: ObservableType
    value: str

    @property
    def shown(self) -> str:
        """What plans, `explain` and the audit call it."""
        return self.value

    @property
    def below(self) -> bool:
        """Whether this stands for all names below a domain."""
        return self.type is ObservableType.DOMAIN_NAME and self.value.startswith("*.")

    @property
    def wild(self) -> bool:
        """Whether a reader may take this for more values than one, by a wildcard in it.

        `*.bad.example` is no such: it means what is below a domain, everywhere.
        """
        match self.type:
            case ObservableType.EMAIL_ADDR:
                return _WILD_MAILBOX.search(self.value) is not None
            case ObservableType.URL:
                return "*" in self.value
            case ObservableType.FILE_NAME:
                return _WILD_FILE.search(self.value) is not None
            case kind if kind in _TEXTS:
                return _WORD.search(self.value) is None and _WILD.search(self.value) is not None
        return False


class RuleLanguage(StrEnum):
    """Languages of detection rules, as STIX names them (2.1 section 10.19, pattern types)."""

    YARA = "yara"
    SIGMA = "sigma"
    SNORT = "snort"
    SURICATA = "suricata"


class RuleRef(NamedTuple):
    """A detection rule by its name here: its language, the indicator that bears it and its feed.

    It stands where an observable stands: a list decides on it, a ledger knows whether it is
    written. Its text is never read for observables. Any feed may choose any id, so an indicator
    of one feed bears another rule than that of the same id of another feed.
    """

    type: RuleLanguage
    value: str

    @classmethod
    def of(cls, language: RuleLanguage, indicator: str, feed: str) -> "RuleRef":
        """Return the name of the rule that an indicator of a feed bears."""
        return cls(language, f"{indicator}{_OF_FEED}{feed}")

    @property
    def shown(self) -> str:
        """What plans, `explain` and the audit call it: the id of its indicator."""
        return self.value.rpartition(_OF_FEED)[0]

    @property
    def feed(self) -> str:
        """The feed whose indicator bears it."""
        return self.value.rpartition(_OF_FEED)[2]


Subject = Observable | RuleRef
SubjectType = ObservableType | RuleLanguage


class Reason(StrEnum):
    """Why a claim is, or is not, on a list; the same word in JSON, metrics, audit and log."""

    UNREADABLE = "unreadable"
    UNSUPPORTED_PATTERN = "unsupported_pattern"
    NOT_ENFORCEABLE = "not_enforceable"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    WITHHELD = "withheld"
    DESELECTED = "deselected"
    ALLOWLISTED = "allowlisted"
    SUPERSEDED = "superseded"
    WANTED = "wanted"
    UNSUPPORTED_TYPE = "unsupported_type"
    OVER_CAPACITY = "over_capacity"
    PENDING = "pending"
    HELD = "held"
    REJECTED = "rejected"
    WRITTEN = "written"


class Claim(NamedTuple):
    """An indicator's word on one observable, or the rule that it bears.

    `enforceable` means that seeing this observable alone makes the whole pattern true. Otherwise
    `reason` is `not_enforceable` (watchlists may take the observable), or, where there is no
    observable, also `unreadable` or `unsupported_pattern`. `why` says it in words.
    """

    observable: Subject | None
    enforceable: bool
    reason: Reason | None = None
    why: str = ""


class Tlp(IntEnum):
    """Traffic Light Protocol 2.0 (FIRST), ordered from public to most restricted."""

    CLEAR = 0
    GREEN = 1
    AMBER = 2
    AMBER_STRICT = 3
    RED = 4

    @property
    def label(self) -> str:
        """The name as people write it, such as `amber+strict`."""
        return self.name.lower().replace("_", "+")


class Purpose(StrEnum):
    """What a list is for."""

    BLOCK = "block"
    WATCH = "watch"


class Audience(StrEnum):
    """Who sees what a list or an output holds."""

    OWN = "own"
    OPERATOR = "operator"
    COMMUNITY = "community"
    PUBLIC = "public"


FieldValue = str | int | float | bool
NO_FIELDS: Final[Mapping[str, FieldValue]] = MappingProxyType({})


class Entry(msgspec.Struct, frozen=True):
    """One line of a list at a target: the observable, and what the output's mapping says of it."""

    observable: Observable
    fields: Mapping[str, FieldValue] = NO_FIELDS

    @property
    def type(self) -> ObservableType:
        """The observable's type."""
        return self.observable.type

    @property
    def value(self) -> str:
        """The observable's value."""
        return self.observable.value


@dataclass(frozen=True, slots=True)
class Rule:
    """A detection rule as its indicator bears it: one text, kept whole.

    `name` is the indicator's, empty where a marking hides it; `modified` is its version's.
    """

    indicator: str
    language: RuleLanguage
    text: str
    name: str = ""
    feed: str = ""
    modified: datetime | None = None

    @property
    def ref(self) -> RuleRef:
        """What lists and ledgers know the rule by."""
        return RuleRef.of(self.language, self.indicator, self.feed)

    @property
    def key(self) -> str:
        """What tells it from all others: its indicator and its feed, as two may choose one id."""
        return self.ref.value


# Among the markings of what was told: nothing marks it, so that the feed's configuration decides.
UNMARKED: Final = "unmarked"


class Word(NamedTuple):
    """One thing that context says of an indicator, and the markings of all that led there."""

    kind: str
    name: str
    aliases: tuple[str, ...] = ()
    markings: tuple[str, ...] = ()


class Context(NamedTuple):
    """What its own feed says of an indicator by other objects, as many indicators share it.

    An opinion is its producer and its score from 1 to 5.
    """

    words: tuple[Word, ...] = ()
    opinions: tuple[tuple[str, int], ...] = ()


class Producer(NamedTuple):
    """Who created indicators: the labels of that identity, None while it is not at hand.

    The labels hold its consent to be named; its name is told only as its markings allow.
    """

    id: str = ""
    labels: tuple[str, ...] | None = ()
    name: str = ""
    markings: tuple[str, ...] = ()


NOBODY: Final = Producer()
