"""The output contract: everything that an adapter imports.

What few adapters need is imported when it is first asked for: a look at the state needs none of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from connector.adapter.batch import Batch
from connector.adapter.context import OutputContext, import_extra
from connector.adapter.contract import (
    Adapter,
    EntryAdapter,
    ListAdapter,
    RuleAdapter,
    StagedAdapter,
)
from connector.adapter.fields import Choice, FieldSpec, Flag, Instant, Number, Text
from connector.adapter.held import Held, held_twice, observable_of, observables_in
from connector.adapter.http import Http, Response
from connector.adapter.login import Login, Session
from connector.adapter.outcomes import (
    ALL_WRITTEN,
    Full,
    Later,
    Left,
    Outcome,
    Outcomes,
    Refused,
    Written,
)
from connector.adapter.text_file import TextDraft, TextFile
from connector.errors import (
    BatchTooLargeError,
    ConfigError,
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
from connector.instants import utc_now
from connector.model import (
    Entry,
    FieldValue,
    Observable,
    ObservableType,
    Original,
    Rule,
    RuleLanguage,
    RuleRef,
    Subject,
)
from connector.published import Draft, Published, PublishedName, failures_typed, file_stamp
from connector.settings import (
    Auth,
    CallRate,
    Duration,
    EventSettings,
    Field,
    FilePath,
    HttpSettings,
    OwnName,
    Secret,
    SecretValue,
    ServerUrl,
    Settings,
    TlsSettings,
    url_with_password,
)

if TYPE_CHECKING:
    from connector.adapter.command import NEEDS_NET_ADMIN, Command, Ran
    from connector.adapter.events import (
        EVENT_FIELDS,
        EVENT_MAPPING,
        Action,
        Event,
        EventAdapter,
        Taken,
    )
    from connector.adapter.redis_server import RedisFullError, RedisKind, RedisServer, RedisUrl

__all__ = [
    "ADDRESSES",
    "ALL_WRITTEN",
    "EVENT_FIELDS",
    "EVENT_MAPPING",
    "NEEDS_NET_ADMIN",
    "Action",
    "Adapter",
    "Auth",
    "Batch",
    "BatchTooLargeError",
    "CallRate",
    "Choice",
    "Command",
    "ConfigError",
    "Draft",
    "Duration",
    "Entry",
    "EntryAdapter",
    "Event",
    "EventAdapter",
    "EventSettings",
    "Family",
    "Field",
    "FieldSpec",
    "FieldValue",
    "FilePath",
    "Flag",
    "Full",
    "Held",
    "Http",
    "HttpSettings",
    "Instant",
    "Later",
    "Left",
    "ListAdapter",
    "Login",
    "Number",
    "Observable",
    "ObservableType",
    "Original",
    "Outcome",
    "Outcomes",
    "OutputContext",
    "OwnName",
    "Published",
    "PublishedName",
    "Ran",
    "RedisFullError",
    "RedisKind",
    "RedisServer",
    "RedisUrl",
    "Refused",
    "RefusedError",
    "Response",
    "Rule",
    "RuleAdapter",
    "RuleLanguage",
    "RuleRef",
    "Secret",
    "SecretValue",
    "ServerUrl",
    "Session",
    "Settings",
    "StagedAdapter",
    "Subject",
    "Taken",
    "Text",
    "TextDraft",
    "TextFile",
    "TlsSettings",
    "UnavailableError",
    "Written",
    "as_prefix",
    "failures_typed",
    "families_of",
    "file_stamp",
    "held_twice",
    "import_extra",
    "misreading",
    "observable_of",
    "observables_in",
    "url_with_password",
    "utc_now",
]

_WHEN_ASKED = {
    "NEEDS_NET_ADMIN": "command",
    "Command": "command",
    "Ran": "command",
    "EVENT_FIELDS": "events",
    "EVENT_MAPPING": "events",
    "Action": "events",
    "Event": "events",
    "EventAdapter": "events",
    "Taken": "events",
    "RedisFullError": "redis_server",
    "RedisKind": "redis_server",
    "RedisServer": "redis_server",
    "RedisUrl": "redis_server",
}


def __getattr__(name: str) -> Any:
    if name not in _WHEN_ASKED:
        raise AttributeError(name)
    return getattr(import_module(f"connector.adapter.{_WHEN_ASKED[name]}"), name)
