"""How much may change at an output at once, and after which other output."""

from datetime import timedelta

from connector.config.values import Interval
from connector.settings import Field, Settings


class LimitsConfig(Settings):
    """How much may change without a person's word; what exceeds it is held, all else goes on."""

    max_entries: int | None = Field(
        None, ge=1, description="Maximum number of entries of this output."
    )
    max_remove_ratio: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Largest share of the entries that one cycle may remove, and that may be lost "
        "within `window`, what was added taken into account.",
    )
    max_add_ratio: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Largest share that one cycle may add to a list that is not empty.",
    )
    max_evict_ratio: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Largest share of the entries that one cycle may displace because others rank "
        "higher on a full list.",
    )
    max_add: int | None = Field(
        None, ge=0, description="Maximum number of entries that one cycle may add."
    )
    max_remove: int | None = Field(
        None, ge=0, description="Maximum number that one cycle may remove."
    )
    window: Interval = Field(
        timedelta(hours=24),
        description="Time over which losses are added up, so that many small ones count too.",
    )
    small: int = Field(
        20, ge=1, description="Fewer changes than this break no ratio, however short the list."
    )


class RolloutConfig(Settings):
    """What is new reaches this output only when it has stood at another one for a while."""

    after: str = Field(
        min_length=1, description="Name of the output of the same list that gets it first."
    )
    wait: Interval = Field(
        description="How long an entry must have stood there, without being taken back."
    )
