"""How long the calls of an adapter may take."""

from datetime import timedelta

from connector.settings import Duration, Field, Settings


class DeadlinesConfig(Settings):
    """How long each call of an adapter may take before its output counts as failing."""

    stamp: Duration = Field(
        timedelta(minutes=5), description="Asking whether the target changed, in each cycle."
    )
    read: Duration = Field(timedelta(minutes=30), description="Reading all of the target.")
    holds: Duration = Field(
        timedelta(minutes=30), description="Asking which of the entries to add are there."
    )
    publish: Duration = Field(
        timedelta(minutes=30), description="Writing a whole list, with the making of it."
    )
    activate: Duration = Field(
        timedelta(minutes=30), description="Having the target take up a list."
    )
    add: Duration = Field(timedelta(minutes=30), description="Adding one batch.")
    remove: Duration = Field(timedelta(minutes=30), description="Removing one batch.")
    flush: Duration = Field(timedelta(minutes=30), description="Sending the events that wait.")
    begin: Duration = Field(timedelta(minutes=10), description="Beginning a unit of work.")
    commit: Duration = Field(timedelta(hours=2), description="Making a unit of work live.")
    abandon: Duration = Field(timedelta(minutes=10), description="Dropping a unit of work.")

    @property
    def seconds(self) -> dict[str, float]:
        """The deadline of each verb, in seconds."""
        return {verb: getattr(self, verb).total_seconds() for verb in type(self).model_fields}
