"""The facts that all floors share: frozen values, with no behaviour beyond reading them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from hashlib import blake2b
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec


class ObservableType(StrEnum):
    """Types of value that an enforcement point or a SIEM can match."""

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
_OF_FEED: Final = " of "  # feed names have no spaces, so the last one separates


class Observable(NamedTuple):
    """One typed value in its canonical form, as `connector.indicators.observables` makes it.

    A domain name means exactly that name; `*.bad.example` means every name below it, but not the
    name itself. Prefixes look like `198.51.100.0/24`; endpoints like `203.0.113.7:443/tcp` and
    `[2001:db8::7]:443/tcp`.
    """

    type: ObservableType
    value: str

    @property
    def shown(self) -> str:
        """Its name in plans, `explain` and the audit."""
        return self.value

    @property
    def below(self) -> bool:
        """Whether this means all names below a domain."""
        return self.type is ObservableType.DOMAIN_NAME and self.value.startswith("*.")

    @property
    def wild(self) -> bool:
        """Whether a reader may match more than one value with this, because of a wildcard.

        `*.bad.example` does not count: every reader takes it for the names below a domain.
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
    """A reference to a detection rule: its language, its indicator and the indicator's feed.

    It is used like an observable: a list decides on it, a ledger knows whether it is written. Its
    text is never searched for observables. Any feed may choose any id, so indicators of two feeds
    with the same id have different rules.
    """

    type: RuleLanguage
    value: str

    @classmethod
    def of(cls, language: RuleLanguage, indicator: str, feed: str) -> "RuleRef":
        """Return the name of the rule of an indicator of a feed."""
        return cls(language, f"{indicator}{_OF_FEED}{feed}")

    @property
    def shown(self) -> str:
        """Its name in plans, `explain` and the audit: the id of its indicator."""
        return self.value.rpartition(_OF_FEED)[0]

    @property
    def feed(self) -> str:
        """The feed of its indicator."""
        return self.value.rpartition(_OF_FEED)[2]


Subject = Observable | RuleRef
SubjectType = ObservableType | RuleLanguage


class Reason(StrEnum):
    """Why a claim is on a list or not; the same word in JSON, metrics, audit and log."""

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
    """What an indicator says about one observable, or that it has a rule.

    `enforceable` means that seeing this observable alone makes the whole pattern true. Otherwise
    `reason` is `not_enforceable` (watchlists may take the observable) or, without an observable,
    also `unreadable` or `unsupported_pattern`. `why` explains it in words.
    """

    observable: Subject | None
    enforceable: bool
    reason: Reason | None = None
    why: str = ""


class Tlp(IntEnum):
    """Traffic Light Protocol 2.0 (FIRST), ordered from public to most restrictive."""

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
    """Who sees a list or an output."""

    OWN = "own"
    OPERATOR = "operator"
    COMMUNITY = "community"
    PUBLIC = "public"


FieldValue = str | int | float | bool
NO_FIELDS: Final[Mapping[str, FieldValue]] = MappingProxyType({})


class Original(msgspec.Struct, frozen=True):
    """A STIX object with the bytes that its feed sent, and the objects that belong to it.

    `beside` has its marking definitions, and its producer's identity where that consents to be
    named. `modified` is its version; marking definitions have none.
    """

    id: str
    raw: bytes
    modified: datetime | None = None
    beside: tuple["Original", ...] = ()

    @property
    def mark(self) -> str:
        """Its id, a text that is another with each other byte of it, and one for those beside."""
        own, beside = blake2b(self.raw, digest_size=8), blake2b(digest_size=8)
        for one in self.beside:
            beside.update(one.raw)
        return f"{self.id} {own.hexdigest()} {beside.hexdigest()}"


class Entry(msgspec.Struct, frozen=True):
    """One line of a list at a target: the observable, and the fields from the output's mapping.

    `expires` is when the target should end it, given to adapters whose target has ends of its own;
    None is never. `handle` is the target's own name for an entry that is written again. `original`
    is the indicator that carries it, for options that want originals.
    """

    observable: Observable
    fields: Mapping[str, FieldValue] = NO_FIELDS
    expires: datetime | None = None
    handle: str = ""
    original: Original | None = None

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
    """The detection rule of an indicator: one text, kept as it is.

    `name` is the indicator's, or empty if a marking hides it; `modified` is its version's.
    """

    indicator: str
    language: RuleLanguage
    text: str
    name: str = ""
    feed: str = ""
    modified: datetime | None = None

    @property
    def ref(self) -> RuleRef:
        """The name of the rule in lists and ledgers."""
        return RuleRef.of(self.language, self.indicator, self.feed)

    @property
    def key(self) -> str:
        """Its unique key: its indicator and its feed, as two feeds may choose the same id."""
        return self.ref.value


# Stands for the absence of markings in context: the feed's configuration decides.
UNMARKED: Final = "unmarked"


class Word(NamedTuple):
    """One fact from context about an indicator, with the markings of the path to it."""

    kind: str
    name: str
    aliases: tuple[str, ...] = ()
    markings: tuple[str, ...] = ()


class Context(NamedTuple):
    """What its feed says about an indicator in other objects; shared by many indicators.

    An opinion is its producer and its score from 1 to 5.
    """

    words: tuple[Word, ...] = ()
    opinions: tuple[tuple[str, int], ...] = ()


class Producer(NamedTuple):
    """The creator of indicators: the labels of that identity, or None while it is missing.

    The labels include its consent to be named; its name is shown only as its markings allow.
    """

    id: str = ""
    labels: tuple[str, ...] | None = ()
    name: str = ""
    markings: tuple[str, ...] = ()


NOBODY: Final = Producer()
