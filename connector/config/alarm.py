"""What the file says of when a feed is told to be out of character."""

from datetime import timedelta
from typing import Annotated

from connector.settings import Duration, Field, Settings

Share = Annotated[float, Field(ge=0, le=1)]


class AlarmConfig(Settings):
    """When a feed is told to be out of character; each bound is a share, and null tells nothing."""

    growth: Annotated[float, Field(ge=0)] | None = Field(
        0.5, description="How many more objects may come, as a share of those it had before."
    )
    producers: Share | None = Field(
        0.5,
        description="Share of the new objects that may be by producers (`created_by_ref`) that the "
        "feed never named before.",
    )
    kinds: Share | None = Field(
        0.5,
        description="Share of the new claims that may be on kinds of observable that the feed "
        "never sent before.",
    )
    twins: Share | None = Field(
        0.5,
        description="Share of the new claims that may say, under another id, what the feed claims "
        "already.",
    )
    least: int = Field(
        100,
        ge=1,
        description="Fewer than this many are no reason for an alarm, nor a past to compare with.",
    )
    span: Duration = Field(
        timedelta(days=1),
        description="Period over which all this is counted; a first fill never counts.",
    )
