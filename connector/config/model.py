"""The whole file as models: every key with its type, bound, default and sentence."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from connector.config.alarm import AlarmConfig
from connector.config.context import ContextConfig, LeastConfidence, OpinionsConfig
from connector.config.deadlines import DeadlinesConfig
from connector.config.default_lists import DEFAULT
from connector.config.pace import LimitsConfig, RolloutConfig
from connector.config.service import (
    LogConfig,
    OrganisationConfig,
    ServerConfig,
    ServiceConfig,
    StateConfig,
)
from connector.config.values import Day, Interval, MaxAge, Name, Text, TlpName, age_bound
from connector.decisions.allowlist.groups import BuiltinGroup
from connector.decisions.mapping import FieldSpec
from connector.decisions.reach import WIDEST
from connector.feed import Window
from connector.indicators.confidence import Scale
from connector.model import Audience, ObservableType, Purpose, SubjectType, Tlp
from connector.settings import Field, FilePath, Settings

Confidence = Annotated[int, Field(ge=0, le=100)]


class PartialRuns(StrEnum):
    """Whether the pages that arrived before a run broke off count at once."""

    ALLOW = "allow"
    REFUSE = "refuse"


class WidestConfig(Settings):
    """The shortest prefixes that may block; wider ones are only watched."""

    ipv4: int = Field(
        24,
        ge=16,
        le=32,
        description="Shortest IPv4 prefix of this feed that blocks. Prefixes wider than /16 never "
        "block (group `wide_prefixes`).",
    )
    ipv6: int = Field(
        48,
        ge=32,
        le=128,
        description="Shortest IPv6 prefix of this feed that blocks. Prefixes wider than /32 never "
        "block (group `wide_prefixes`).",
    )


class Wide(StrEnum):
    """Kinds that cover many innocent parties, and block only where the file says so."""

    AUTONOMOUS_SYSTEM = "autonomous-system"


class FeedConfig(Settings):
    """Options that every feed has, in addition to those of its own type."""

    type: str = Field(min_length=1, description="Type of feed; `connector plugins` lists them.")
    every: Interval = Field(timedelta(minutes=5), description="How often the feed is polled.")
    unmarked_tlp: TlpName = Field(
        Tlp.RED, description="Marking to assume for objects that have none."
    )
    default_confidence: Confidence | None = Field(
        None, description="Confidence to assume for indicators that give none."
    )
    max_confidence: Confidence | None = Field(
        None,
        description="Upper bound on the confidence of this feed's indicators, whatever they or "
        "`default_confidence` say; for feeds that rate themselves.",
    )
    max_share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Largest share of a full list (`max_entries`, or the target's capacity) that "
        "may come from this feed alone. Entries beyond it rank below all others, and are "
        "`over_capacity` when there is no room left.",
    )
    max_objects: int | None = Field(
        None,
        ge=1,
        description="Maximum number of objects to keep of this feed, including revoked and expired "
        "ones. At the maximum only updates to those kept are taken, new objects stay at the "
        "source, and `status` shows `full`. Once it is raised, the next poll reads them.",
    )
    alarm: AlarmConfig = Field(
        default_factory=AlarmConfig,
        description="When to report a feed as out of character, before any list is affected.",
    )
    confidence_scale: Scale = Field(
        Scale.STIX,
        description="How its producers write confidence: from 0 to 100 as in STIX, or on another "
        "scale of STIX's appendix A, by its numbers or words. A value that is not on that scale "
        "counts as not given.",
    )
    window: Window = None
    max_age: MaxAge = Field(
        default_factory=dict,
        description="How long an indicator without `valid_until` counts: one duration for all, or "
        "one for each observable type, `file` (all file types), `rule` (detection rules) and "
        "`default`.",
    )

    widest: WidestConfig = Field(
        default_factory=WidestConfig,
        description="How wide a prefix of this feed may be to block.",
    )
    wide: tuple[Wide, ...] = Field(
        (),
        description="Kinds of this feed that block even though one value covers many innocent "
        "parties; by default they are only watched. A list can set this too.",
    )
    authoritative: tuple[Text, ...] = Field(
        (),
        description="Identities, by STIX id, whose opinions in this feed count for its indicators, "
        "and no others; when empty, all opinions in this feed count equally.",
    )
    partial_runs: PartialRuns = Field(
        PartialRuns.REFUSE,
        description="`refuse`: a run of several pages counts once it is complete, and an "
        "interrupted run is resumed. `allow`: every page counts as it arrives.",
    )

    @property
    def least_reach(self) -> dict[SubjectType, int]:
        """The smallest reach of this feed that blocks, by type (`connector.decisions.reach`)."""
        bounds: dict[SubjectType, int] = {
            ObservableType.IPV4_ADDR: self.widest.ipv4, ObservableType.IPV6_ADDR: self.widest.ipv6
        }  # fmt: skip
        return {**WIDEST, **bounds, **dict.fromkeys(map(ObservableType, self.wide), 0)}

    def max_age_of(self, kind: SubjectType) -> timedelta | None:
        """Return how long an indicator of this type counts when it gives no end itself."""
        return age_bound(self.max_age, kind)


class BuiltinConfig(Settings):
    """The built-in allowlist, which applies without being configured."""

    except_: tuple[BuiltinGroup, ...] = Field(
        (), alias="except", description="Groups of the built-in allowlist to leave out."
    )


def _allow_value(value: str) -> str:
    from connector.decisions.allowlist.values import read_allow_value  # noqa: PLC0415 - most files have none

    read_allow_value(value)
    return value


class ExceptionConfig(Settings):
    """One value that must never be stopped, and why."""

    value: Annotated[Text, AfterValidator(_allow_value)] = Field(
        description="Address, prefix, domain (including all names below it), URL, e-mail address, "
        "hash or AS number; other kinds after their type, as in `user-agent:curl/8.5.0`."
    )
    why: Text = Field(description="Reason, for the person who reads this in two years.")
    ticket: Text | None = Field(None, description="Ticket or change number.")
    until: Day | None = Field(None, description="Last day of the exception, in UTC.")


class AllowlistConfig(Settings):
    """What must never be stopped, whatever a feed says."""

    builtin: BuiltinConfig = Field(
        default_factory=BuiltinConfig, description="The built-in allowlist."
    )
    warninglists: tuple[Text, ...] = Field(
        (DEFAULT,),
        description="MISP warninglists, by their folder name in pymispwarninglists, such as "
        "`public-dns-v4`. Each matches by its own type, and `explain` names the first that "
        "contains a value. Those named here apply to every list. `default` is a set that applies "
        "to blocklists only (docs/allowlist.md); `[]` switches it off.",
    )
    warninglist_folder: FilePath | None = Field(
        None,
        description="Folder with copies of warninglists, as `NAME/list.json` or `NAME.json`. A "
        "copy newer than the installed one replaces it; lists that are not installed can be named "
        "too.",
    )
    files: tuple[FilePath, ...] = Field(
        (), description="Files with one value per line; `#` starts a comment."
    )
    exceptions: tuple[ExceptionConfig, ...] = Field(
        (), description="Single values, each with a reason and an optional end."
    )


class WordsConfig(Settings):
    """Words of which at least one must be present, and words that must be absent."""

    any: tuple[Text, ...] = Field((), description="At least one of these; empty requires nothing.")
    none: tuple[Text, ...] = Field((), description="None of these.")


class SelectConfig(Settings):
    """What a list takes from everything that its purpose and audience allow."""

    feeds: tuple[Name, ...] | None = Field(
        None, min_length=1, description="Names of feeds; all by default."
    )
    types: tuple[ObservableType, ...] | None = Field(
        None, min_length=1, description="Types of observable; all by default."
    )
    min_confidence: LeastConfidence | None = Field(
        None,
        description="Lowest confidence, as a number or as a word on a STIX scale (low, medium, "
        "high; unlikely to certain); indicators without a confidence are then left out.",
    )
    max_tlp: TlpName | None = Field(None, description="Most restrictive marking to take.")
    min_sources: int = Field(
        1,
        ge=1,
        le=100,
        description="How many independent feeds must claim an observable, each with an indicator "
        "that the list would otherwise take. Feeds that pass on the same producer's indicators "
        "(`created_by_ref`) count as one.",
    )
    labels: WordsConfig = Field(default_factory=WordsConfig, description="Labels of the indicator.")
    indicator_types: WordsConfig = Field(
        default_factory=WordsConfig, description="Types of the indicator, as STIX names them."
    )
    producers: WordsConfig = Field(
        default_factory=WordsConfig,
        description="Identities that created the indicator, by STIX id.",
    )
    context: ContextConfig = Field(
        default_factory=ContextConfig,
        description="Who is behind it: one of the names given for every kind listed here.",
    )
    opinions: OpinionsConfig = Field(
        default_factory=OpinionsConfig, description="How others' opinions of it count."
    )


class Rank(StrEnum):
    """What ranks an entry when not everything fits."""

    CONFIDENCE = "confidence"
    NEWEST = "newest"


class ListConfig(Settings):
    """What should be enforced: decided once, for any number of outputs."""

    purpose: Purpose = Field(
        Purpose.BLOCK,
        description="`block` takes only what is enforceable by itself; `watch` also takes what is "
        "merely worth attention.",
    )
    audience: Audience = Field(
        Audience.OWN,
        description="Who sees the list; markings are checked against it. `operator`: run for us by "
        "someone else.",
    )
    select: SelectConfig = Field(
        default_factory=SelectConfig, description="What the list takes; everything by default."
    )
    wide: tuple[Wide, ...] = Field(
        (),
        description="Kinds that block on this list, from any feed, even though one value covers "
        "many innocent parties.",
    )
    rank_by: tuple[Rank, ...] = Field(
        (Rank.CONFIDENCE, Rank.NEWEST),
        min_length=1,
        description="What ranks first where a target cannot hold everything.",
    )


class OutputConfig(Settings):
    """Where a list is enforced: through which adapter, with which mapping and limits."""

    list: str = Field(min_length=1, description="Name of the list to write.")
    adapter: str = Field(
        min_length=1,
        description="Adapter that writes to the target; `connector plugins` lists them.",
    )
    every: Interval = Field(timedelta(minutes=5), description="How often changes are written.")
    verify_every: Interval = Field(
        timedelta(hours=6),
        description="How often the target is read back and compared; also done after every start.",
    )
    audience: Audience | None = Field(
        None, description="Who sees this output; by default the list's audience."
    )
    types: tuple[ObservableType, ...] | None = Field(
        None, min_length=1, description="Types of observable to write; by default all of the list."
    )
    limits: LimitsConfig = Field(
        default_factory=LimitsConfig,
        description="How much may change before a person has to accept it.",
    )
    deadlines: DeadlinesConfig = Field(
        default_factory=DeadlinesConfig, description="How long each call of the adapter may take."
    )
    rollout: RolloutConfig | None = Field(
        None,
        description="Output that gets what is new first; what leaves the list leaves everywhere at "
        "once.",
    )
    mapping: dict[str, FieldSpec | None] = Field(
        default_factory=dict,
        description="How to fill each field that the target offers; overrides the adapter's own "
        "mapping, and null leaves a field out.",
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Options of the adapter itself."
    )

    def types_of(self, listed: ListConfig | None) -> frozenset[ObservableType]:
        """Return the types of observable of a list to write, before the adapter narrows them."""
        taken = listed.select.types if listed else None
        return frozenset(self.types or taken or ObservableType)


class Config(Settings):
    """The whole file; the options of each feed and output are validated separately."""

    version: Literal[1] = Field(description="Version of the file format.")
    state: StateConfig = Field(
        default_factory=StateConfig, description="Where the service keeps its records."
    )
    feeds: dict[Name, FeedConfig] = Field(description="What to poll, by name.")
    allowlist: AllowlistConfig = Field(
        default_factory=AllowlistConfig, description="What must never be blocked."
    )
    lists: dict[Name, ListConfig] = Field(description="What to enforce, by name.")
    outputs: dict[Name, OutputConfig] = Field(description="Where to enforce it, by name.")
    publish_folder: FilePath = Field(
        "published",
        validate_default=True,
        description="Folder to which file outputs publish.",
    )
    server: ServerConfig = Field(
        default_factory=ServerConfig, description="The list server of this machine."
    )
    service: ServiceConfig = Field(
        default_factory=ServiceConfig, description="How much the service does at once."
    )
    organisation: OrganisationConfig = Field(
        default_factory=OrganisationConfig, description="Who we are, for markings that require it."
    )
    log: LogConfig = Field(default_factory=LogConfig, description="How the service logs.")

    def audience_of(self, output: str) -> Audience:
        """Return who sees an output: its own audience, or its list's."""
        outlet = self.outputs[output]
        return outlet.audience or self.lists[outlet.list].audience

    def types_of(self, output: str) -> frozenset[ObservableType]:
        """Return the types of observable to write, before the adapter narrows them."""
        outlet = self.outputs[output]
        return outlet.types_of(self.lists[outlet.list])
