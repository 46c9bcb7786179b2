"""When a feed is reported as out of character, as the file sets it."""

from datetime import timedelta
from typing import Annotated

from connector.settings import Duration, Field, Settings

Share = Annotated[float, Field(ge=0, le=1)]


class AlarmConfig(Settings):
    """When a feed is reported as out of character; each bound is a share, null turns it off."""

    growth: Annotated[float, Field(ge=0)] | None = Field(
        0.5, description="How much the feed may grow, as a share of the objects it had before."
    )
    producers: Share | None = Field(
        0.5,
        description="Largest share of new objects from producers (`created_by_ref`) that the feed "
        "has never named before.",
    )
    kinds: Share | None = Field(
        0.5,
        description="Largest share of new claims on observable types that the feed has never sent "
        "before.",
    )
    twins: Share | None = Field(
        0.5,
        description="Share of the new claims that may say, under another id, what the feed claims "
        "already.",
    )
    least: int = Field(
        100,
        ge=1,
        description="Below this number there is no alarm, and not enough history to compare with.",
    )
    span: Duration = Field(
        timedelta(days=1),
        description="Period over which all of this is counted; a first fill never counts.",
    )
