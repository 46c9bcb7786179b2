"""The bodies of splunkd's answers: Atom for entities, XML or JSON for messages."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from connector.testing.http_target import Reply

_XML: Final = "text/xml; charset=UTF-8"
_JSON: Final = "application/json; charset=UTF-8"
_UPDATED: Final = "2026-01-01T00:00:00+00:00"
_HEAD: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:s="http://dev.splunk.com/ns/rest" '
    'xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">\n'
)


@dataclass(frozen=True, slots=True)
class Entity:
    """One Atom entry: its name, its path and its settings."""

    name: str
    path: str
    content: Mapping[str, str]
    app: str
    sharing: str = "app"


def _reply(status: int, text: str, kind: str = _XML, cookie: str | None = None) -> Reply:
    cookies = {"Set-Cookie": cookie} if cookie else {}
    return Reply(status, text.encode(), {"Content-Type": kind, **cookies})


def plain(status: int, text: str) -> Reply:
    """Return a body of plain text, as the `properties` endpoints send it."""
    return _reply(status, text, "text/plain; charset=UTF-8")


def as_json(text: str, status: int = 200) -> Reply:
    """Return a body of JSON text."""
    return _reply(status, text, _JSON)


def message(status: int, text: str, *, json_mode: bool, kind: str = "ERROR") -> Reply:
    """Return an error as JSON or, by default, as XML."""
    if json_mode:
        return as_json(json.dumps({"messages": [{"type": kind, "text": text}]}), status)
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<response>\n  <messages>\n'
        f'    <msg type="{kind}">{escape(text)}</msg>\n  </messages>\n</response>\n'
    )
    return _reply(status, body)


def session(key: str, cookie: str | None) -> Reply:
    """Return the answer to a successful login."""
    body = f"<response>\n  <sessionKey>{key}</sessionKey>\n</response>\n"
    return _reply(200, body, cookie=cookie)


def _key(name: str, value: str) -> str:
    return f"<s:key name={quoteattr(name)}>{escape(value)}</s:key>"


def _acl(entity: Entity) -> str:
    inner = "".join(
        _key(name, value)
        for name, value in (
            ("app", entity.app),
            ("can_write", "1"),
            ("owner", "nobody"),
            ("sharing", entity.sharing),
        )
    )
    access = (
        '<s:key name="perms"><s:dict>'
        '<s:key name="read"><s:list><s:item>*</s:item></s:list></s:key>'
        '<s:key name="write"><s:list><s:item>admin</s:item></s:list></s:key>'
        "</s:dict></s:key>"
    )
    return f'<s:key name="eai:acl"><s:dict>{inner}{access}</s:dict></s:key>'


def _entry(entity: Entity) -> str:
    content = "".join(_key(name, value) for name, value in entity.content.items())
    return (
        f"<entry><title>{escape(entity.name)}</title><id>{escape(entity.path)}</id>"
        f"<updated>{_UPDATED}</updated>"
        f'<link href={quoteattr(entity.path)} rel="alternate"/>'
        "<author><name>nobody</name></author>"
        f'<content type="text/xml"><s:dict>{content}{_acl(entity)}'
        f"{_key('eai:appName', entity.app)}{_key('eai:userName', 'nobody')}"
        "</s:dict></content></entry>\n"
    )


def feed(title: str, entities: Iterable[Entity], status: int = 200) -> Reply:
    """Return an Atom feed of entities."""
    entries = [_entry(entity) for entity in entities]
    body = (
        f"{_HEAD}<title>{escape(title)}</title><updated>{_UPDATED}</updated>\n"
        f"<opensearch:totalResults>{len(entries)}</opensearch:totalResults>\n"
        f"{''.join(entries)}</feed>\n"
    )
    return _reply(status, body)
