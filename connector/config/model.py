"""The whole file as models: every key with its type, bound, default and sentence."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from connector.config.alarm import AlarmConfig
from connector.config.context import ContextConfig, LeastConfidence, OpinionsConfig
from connector.config.default_lists import DEFAULT
from connector.config.service import LogConfig, OrganisationConfig, ServerConfig, StateConfig
from connector.config.values import Day, Interval, MaxAge, Name, Text, TlpName, age_bound
from connector.decisions.allowlist.allowlist import BuiltinGroup, read_allow_value
from connector.decisions.mapping import FieldSpec
from connector.decisions.reach import WIDEST
from connector.indicators.confidence import Scale
from connector.model import Audience, ObservableType, Purpose, SubjectType, Tlp
from connector.settings import Duration, Field, FilePath, Settings

Confidence = Annotated[int, Field(ge=0, le=100)]


class PartialRuns(StrEnum):
    """Whether what came before a run broke off counts at once."""

    ALLOW = "allow"
    REFUSE = "refuse"


class WidestConfig(Settings):
    """The shortest prefixes that may block; what is wider is only watched."""

    ipv4: int = Field(
        24,
        ge=16,
        le=32,
        description="Shortest IPv4 prefix of this feed that blocks. Wider than /16 never blocks "
        "(group `wide_prefixes`).",
    )
    ipv6: int = Field(
        48,
        ge=32,
        le=128,
        description="Shortest IPv6 prefix of this feed that blocks. Wider than /32 never blocks "
        "(group `wide_prefixes`).",
    )


class Wide(StrEnum):
    """Kinds that hold many who did nothing, and block only where the file says so."""

    AUTONOMOUS_SYSTEM = "autonomous-system"


class FeedConfig(Settings):
    """What every feed has, beside the options of its own type."""

    type: str = Field(min_length=1, description="Kind of feed, as `connector plugins` lists them.")
    every: Interval = Field(timedelta(minutes=5), description="How often the feed is polled.")
    unmarked_tlp: TlpName = Field(
        Tlp.RED, description="Marking to assume where an object has none."
    )
    default_confidence: Confidence | None = Field(
        None, description="Confidence of indicators that give none; without it they have none."
    )
    max_confidence: Confidence | None = Field(
        None,
        description="Most confidence that counts of this feed's indicators, whatever they or "
        "`default_confidence` say: a bound for feeds that rate themselves.",
    )
    max_share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Largest part of a full list (`max_entries`, or what a target can hold) that "
        "may come from this feed alone; what exceeds it ranks below all else, and is "
        "`over_capacity` where no room is left.",
    )
    max_objects: int | None = Field(
        None,
        ge=1,
        description="Most objects of this feed that are kept, also those revoked or ended. When it "
        "is reached, new ones wait at their source, and only news of those kept is taken: `status` "
        "says `full`, and after a raise the next poll reads what waited.",
    )
    alarm: AlarmConfig = Field(
        default_factory=AlarmConfig,
        description="When to report that the feed has changed, before any list is affected.",
    )
    confidence_scale: Scale = Field(
        Scale.STIX,
        description="How its producers write confidence: from 0 to 100 as STIX has it, or on "
        "another scale of STIX's appendix A, by its numbers or words. What is on no step of that "
        "scale counts as not given.",
    )
    window: Duration | None = Field(
        None,
        description="How far back the server answers; when we were away for longer, objects are "
        "missing and the feed reports a gap.",
    )
    max_age: MaxAge = Field(
        default_factory=dict,
        description="How long an indicator without `valid_until` counts: one duration, or one for "
        "each observable type, `file` (every kind of file), `rule` (detection "
        "rules) and `default`.",
    )

    widest: WidestConfig = Field(
        default_factory=WidestConfig,
        description="How wide a prefix of this feed may be and still block.",
    )
    wide: tuple[Wide, ...] = Field(
        (),
        description="Kinds of this feed that block though each value holds many who did nothing; "
        "others are only watched. A list may say so too.",
    )
    authoritative: tuple[Text, ...] = Field(
        (),
        description="Identities, by STIX id, whose opinions alone count for this feed's "
        "indicators, where this feed brings them; without any, all that it brings count equally.",
    )
    partial_runs: PartialRuns = Field(
        PartialRuns.REFUSE,
        description="`refuse`: a run of several pages counts when it has ended well, and one that "
        "broke off is gone on with. `allow`: every page counts as it comes.",
    )

    @property
    def least_reach(self) -> dict[SubjectType, int]:
        """The least reach of this feed that blocks, by type (`connector.decisions.reach`)."""
        bounds: dict[SubjectType, int] = {
            ObservableType.IPV4_ADDR: self.widest.ipv4, ObservableType.IPV6_ADDR: self.widest.ipv6
        }  # fmt: skip
        return {**WIDEST, **bounds, **dict.fromkeys(map(ObservableType, self.wide), 0)}

    def max_age_of(self, kind: SubjectType) -> timedelta | None:
        """Return how long an indicator of this type counts where it says nothing itself."""
        return age_bound(self.max_age, kind)


class BuiltinConfig(Settings):
    """The floor that holds without being asked for."""

    except_: tuple[BuiltinGroup, ...] = Field(
        (), alias="except", description="Groups of the built-in allowlist to leave out."
    )


def _allow_value(value: str) -> str:
    read_allow_value(value)
    return value


class ExceptionConfig(Settings):
    """One value that must never be stopped, and why."""

    value: Annotated[Text, AfterValidator(_allow_value)] = Field(
        description="Address, prefix, domain (with all below), URL, e-mail address, digest or AS "
        "number; other kinds behind their type, as in `user-agent:curl/8.5.0`."
    )
    why: Text = Field(description="Reason, for whoever reads this in two years.")
    ticket: Text | None = Field(None, description="Ticket or change number.")
    until: Day | None = Field(None, description="Last day of the exception, in UTC.")


class AllowlistConfig(Settings):
    """What must never be stopped, whatever a feed says."""

    builtin: BuiltinConfig = Field(
        default_factory=BuiltinConfig, description="The built-in allowlist."
    )
    warninglists: tuple[Text, ...] = Field(
        (DEFAULT,),
        description="MISP warninglists by the folder name that pymispwarninglists gives them, "
        "such as `public-dns-v4`; each is matched by its own type, and the first that holds a "
        "value is named. Those named here hold on every list. `default` stands for a set that "
        "holds on blocklists only (docs/allowlist.md); `[]` switches it off.",
    )
    warninglist_folder: FilePath | None = Field(
        None,
        description="Folder with newer copies of warninglists, as `NAME/list.json` or `NAME.json`: "
        "what is newer than the installed copy is used in its place, and what is not installed can "
        "be named.",
    )
    files: tuple[FilePath, ...] = Field(
        (), description="Files with one value in each line; `#` starts a comment."
    )
    exceptions: tuple[ExceptionConfig, ...] = Field(
        (), description="Single values, each with its reason and its end."
    )


class WordsConfig(Settings):
    """Words of which one must be present, and words of which none may be."""

    any: tuple[Text, ...] = Field((), description="At least one of these; empty asks for nothing.")
    none: tuple[Text, ...] = Field((), description="None of these.")


class SelectConfig(Settings):
    """What a list takes, of all that its purpose and audience allow."""

    feeds: tuple[Name, ...] | None = Field(
        None, min_length=1, description="Names of feeds; all by default."
    )
    types: tuple[ObservableType, ...] | None = Field(
        None, min_length=1, description="Types of observable; all by default."
    )
    min_confidence: LeastConfidence | None = Field(
        None,
        description="Lowest confidence, as a number or as a word of STIX's scales (low, medium, "
        "high; unlikely to certain); indicators that have none are then not taken.",
    )
    max_tlp: TlpName | None = Field(None, description="Most restricted marking to take.")
    min_sources: int = Field(
        1,
        ge=1,
        le=100,
        description="How many independent feeds have to claim an observable, each by an indicator "
        "that is otherwise taken. Feeds that pass on one producer's word (`created_by_ref`) count "
        "as one.",
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
        description="Who is behind it: one word of every kind that is named here.",
    )
    opinions: OpinionsConfig = Field(
        default_factory=OpinionsConfig, description="What others think of it."
    )


class Rank(StrEnum):
    """What counts when not everything fits."""

    CONFIDENCE = "confidence"
    NEWEST = "newest"


class ListConfig(Settings):
    """What should be enforced: decided once, for however many outputs."""

    purpose: Purpose = Field(
        Purpose.BLOCK,
        description="`block` takes what is enforceable by itself; `watch` also what is only "
        "worth attention.",
    )
    audience: Audience = Field(
        Audience.OWN,
        description="Who sees the list; markings are held against it. `operator`: run for us by "
        "another.",
    )
    select: SelectConfig = Field(
        default_factory=SelectConfig, description="What the list takes; everything by default."
    )
    wide: tuple[Wide, ...] = Field(
        (),
        description="Kinds that block on this list, whichever feed names them, though each value "
        "holds many who did nothing.",
    )
    rank_by: tuple[Rank, ...] = Field(
        (Rank.CONFIDENCE, Rank.NEWEST),
        min_length=1,
        description="What ranks first where a target cannot hold everything.",
    )


class LimitsConfig(Settings):
    """What one plan may change before a person has to accept it."""

    max_entries: int | None = Field(
        None, ge=1, description="Most entries that this output may hold."
    )
    max_remove_ratio: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Largest share of the entries that one plan may remove; given here it always "
        "counts, otherwise from 1,000 entries on.",
    )
    max_add_ratio: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Largest share that one plan may add; given here it always counts, otherwise "
        "from 1,000 entries on.",
    )
    max_evict_ratio: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Largest share of the entries that one plan may push out because others rank "
        "higher on a full list; given here it always counts, otherwise from more than 20 on.",
    )
    max_add: int | None = Field(None, ge=0, description="Most entries that one plan may add.")
    max_remove: int | None = Field(None, ge=0, description="Most entries that one plan may remove.")


class OutputConfig(Settings):
    """Where a list is enforced: through which adapter, with which mapping and limits."""

    list: str = Field(min_length=1, description="Name of the list to keep there.")
    adapter: str = Field(
        min_length=1, description="Code that writes to the target, as `connector plugins` lists it."
    )
    every: Interval = Field(timedelta(minutes=5), description="How often changes are written.")
    verify_every: Interval = Field(
        timedelta(hours=6),
        description="How often the target is read back and compared; also after every start.",
    )
    audience: Audience | None = Field(
        None, description="Who sees what this output holds; the list's audience when left out."
    )
    types: tuple[ObservableType, ...] | None = Field(
        None, min_length=1, description="Kinds of observable to write; all of the list's otherwise."
    )
    limits: LimitsConfig = Field(
        default_factory=LimitsConfig,
        description="How much a plan may change before a person has to accept it.",
    )
    mapping: dict[str, FieldSpec | None] = Field(
        default_factory=dict,
        description="What fills each field that the target offers, laid over the adapter's own "
        "mapping; null leaves a field out.",
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Options of the adapter itself."
    )

    def types_of(self, listed: ListConfig | None) -> frozenset[ObservableType]:
        """Return the kinds of observable to write of a list, before the adapter is asked."""
        taken = listed.select.types if listed else None
        return frozenset(self.types or taken or ObservableType)


class Config(Settings):
    """The whole file; each feed's and output's own options are validated beside it."""

    version: Literal[1] = Field(description="Version of this file's form.")
    state: StateConfig = Field(
        default_factory=StateConfig, description="Where the service keeps its records."
    )
    feeds: dict[Name, FeedConfig] = Field(description="What is polled, by name.")
    allowlist: AllowlistConfig = Field(
        default_factory=AllowlistConfig, description="What must never be blocked."
    )
    lists: dict[Name, ListConfig] = Field(description="What should be enforced, by name.")
    outputs: dict[Name, OutputConfig] = Field(description="Where it is enforced, by name.")
    publish_folder: FilePath = Field(
        "published",
        validate_default=True,
        description="Folder where file outputs publish.",
    )
    server: ServerConfig = Field(
        default_factory=ServerConfig, description="The list server of this machine."
    )
    organisation: OrganisationConfig = Field(
        default_factory=OrganisationConfig, description="Who we are, for markings that ask."
    )
    log: LogConfig = Field(default_factory=LogConfig, description="How the service logs.")

    def audience_of(self, output: str) -> Audience:
        """Return who sees what an output holds: its own audience, or its list's."""
        outlet = self.outputs[output]
        return outlet.audience or self.lists[outlet.list].audience

    def types_of(self, output: str) -> frozenset[ObservableType]:
        """Return the kinds of observable to write, before the adapter is asked."""
        outlet = self.outputs[output]
        return outlet.types_of(self.lists[outlet.list])
