"""The output contract: everything that an adapter imports."""

from connector.adapter.context import Http, OutputContext, Response, import_extra
from connector.adapter.contract import Adapter, EntryAdapter, ListAdapter, RuleAdapter
from connector.adapter.fields import Choice, FieldSpec, Flag, Instant, Number, Text
from connector.errors import (
    BatchTooLargeError,
    ConfigError,
    EntryRejectedError,
    RefusedError,
    UnavailableError,
)
from connector.indicators.observables.kinds import (
    ADDRESSES,
    Family,
    as_prefix,
    families_of,
    misreading,
)
from connector.model import Entry, FieldValue, Observable, ObservableType, Rule, RuleLanguage
from connector.published import Draft, Published, PublishedName, failures_typed, file_stamp
from connector.settings import (
    Auth,
    Duration,
    Field,
    FilePath,
    HttpSettings,
    Secret,
    SecretValue,
    Settings,
)

__all__ = [
    "ADDRESSES",
    "Adapter",
    "Auth",
    "BatchTooLargeError",
    "Choice",
    "ConfigError",
    "Draft",
    "Duration",
    "Entry",
    "EntryAdapter",
    "EntryRejectedError",
    "Family",
    "Field",
    "FieldSpec",
    "FieldValue",
    "FilePath",
    "Flag",
    "Http",
    "HttpSettings",
    "Instant",
    "ListAdapter",
    "Number",
    "Observable",
    "ObservableType",
    "OutputContext",
    "Published",
    "PublishedName",
    "RefusedError",
    "Response",
    "Rule",
    "RuleAdapter",
    "RuleLanguage",
    "Secret",
    "SecretValue",
    "Settings",
    "Text",
    "UnavailableError",
    "as_prefix",
    "failures_typed",
    "families_of",
    "file_stamp",
    "import_extra",
    "misreading",
]
