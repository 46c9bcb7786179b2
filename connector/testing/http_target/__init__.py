"""A small HTTP target to derive emulators from: authors write the vendor's paths, not a server.

It misbehaves like the real ones: sessions expire, calls and bodies are limited, pages are cut,
tasks take their time, answers come late, and any call can fail.
"""

from connector.testing.http_target.faults import AFTER_THE_WORK, Fault, Planned
from connector.testing.http_target.messages import Call, Reply, route
from connector.testing.http_target.target import HttpTarget
from connector.testing.http_target.work import Sessions, Tasks, page_of

__all__ = [
    "AFTER_THE_WORK",
    "Call",
    "Fault",
    "HttpTarget",
    "Planned",
    "Reply",
    "Sessions",
    "Tasks",
    "page_of",
    "route",
]
