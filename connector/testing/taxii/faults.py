"""Faults of real TAXII servers, to be scripted onto `TaxiiServer`."""

import gzip
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus


@dataclass(frozen=True)
class Asked:
    """One request as received; `page` counts the requests for objects from 1."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    page: int = 0
    inclusive: bool = False


@dataclass(frozen=True)
class Envelope:
    """A page of objects before it is serialised."""

    objects: tuple[bytes, ...]
    more: bool = False
    next: str | None = None

    def write(self) -> bytes:
        """Return the page as JSON; an empty last page is `{}`."""
        parts = []
        if self.objects:
            parts.append(b'"objects":[' + b",".join(self.objects) + b"]")
        if self.more:
            parts.append(b'"more":true')
        if self.next is not None:
            parts.append(b'"next":"' + self.next.encode() + b'"')
        return b"{" + b",".join(parts) + b"}"


@dataclass(frozen=True)
class Reply:
    """An answer before it is sent.

    Only the first `sent` bytes of the body are sent; then the connection ends or, with `stalls`,
    nothing happens until the server is closed. `trickle_seconds` is a pause after each byte.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent: int | None = None
    stalls: bool = False
    trickle_seconds: float | None = None

    def with_header(self, name: str, value: str | None) -> "Reply":
        """Return a copy with a header set or removed."""
        kept = {k: v for k, v in self.headers.items() if k.lower() != name.lower()}
        return replace(self, headers=kept if value is None else {**kept, name: value})


@dataclass(kw_only=True)
class Fault:
    """Acts on requests with `path` in their path, on one page or all, `times` times or always."""

    path: str = "/objects/"
    page: int | None = None
    times: int | None = None
    paged_only: bool = False

    def takes(self, asked: Asked) -> bool:
        """Return whether this request is affected, and count it."""
        hit = self.path in asked.path and self.page in (None, asked.page)
        if not hit or self.times == 0 or (self.paged_only and "next" not in asked.query):
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def question(self, asked: Asked) -> Asked:
        """Return the request as the server reads it."""
        return asked

    def envelope(self, envelope: Envelope) -> Envelope:
        """Return the page of objects that replaces this one."""
        return envelope

    def reply(self, reply: Reply) -> Reply:
        """Return the reply that replaces this one."""
        return reply


@dataclass(kw_only=True)
class Status(Fault):
    """Answers with another status and a TAXII error message."""

    code: int
    retry_after: str | None = None
    body: bytes = b'{"title": "scripted fault"}'

    def reply(self, reply: Reply) -> Reply:
        """Return the error in place of the answer."""
        changed = replace(reply, status=HTTPStatus(self.code), body=self.body)
        return changed.with_header("Retry-After", self.retry_after)


@dataclass(kw_only=True)
class Redirect(Fault):
    """Redirects the client."""

    location: str

    def reply(self, reply: Reply) -> Reply:
        """Return a redirect in place of the answer."""
        return replace(reply, status=302, body=b"").with_header("Location", self.location)


@dataclass(kw_only=True)
class Body(Fault):
    """Answers 200 with another body, such as a login page."""

    body: bytes = b"<!doctype html><html><head><title>Sign in</title></head></html>"
    content_type: str = "text/html; charset=utf-8"

    def reply(self, reply: Reply) -> Reply:
        """Return the other body."""
        other = replace(reply, status=200, body=self.body)
        return other.with_header("Content-Type", self.content_type)


@dataclass(kw_only=True)
class Header(Fault):
    """Changes a header, or leaves it out."""

    name: str = "X-TAXII-Date-Added-Last"
    value: str | None = None

    def reply(self, reply: Reply) -> Reply:
        """Return the answer with the header changed."""
        return reply.with_header(self.name, self.value)


@dataclass(kw_only=True)
class CutJson(Fault):
    """Sends the first half of the body as if it were complete."""

    def reply(self, reply: Reply) -> Reply:
        """Return half the body."""
        return replace(reply, body=reply.body[: len(reply.body) // 2])


@dataclass(kw_only=True)
class CutConnection(Fault):
    """Announces the whole body and disconnects, or stalls, after half of it."""

    stalls: bool = False

    def reply(self, reply: Reply) -> Reply:
        """Return a body that ends too early."""
        return replace(reply, sent=len(reply.body) // 2, stalls=self.stalls)


@dataclass(kw_only=True)
class Trickle(Fault):
    """Sends one byte at a time."""

    seconds: float = 0.01

    def reply(self, reply: Reply) -> Reply:
        """Return a body that arrives slowly."""
        return replace(reply, trickle_seconds=self.seconds)


@dataclass(kw_only=True)
class Gzip(Fault):
    """Compresses the body and removes its last `cut` bytes."""

    cut: int = 0

    def reply(self, reply: Reply) -> Reply:
        """Return the body compressed."""
        packed = gzip.compress(reply.body)
        changed = replace(reply, body=packed[: len(packed) - self.cut])
        return changed.with_header("Content-Encoding", "gzip")


@dataclass(kw_only=True)
class NoNext(Fault):
    """Sends `more` without `next`, which TAXII 2.1 allows."""

    def envelope(self, envelope: Envelope) -> Envelope:
        """Return the page without its token."""
        return replace(envelope, next=None)


@dataclass(kw_only=True)
class EmptyPage(Fault):
    """Sends `more` without any objects."""

    next: str | None = "after-the-empty-page"

    def envelope(self, envelope: Envelope) -> Envelope:
        """Return an empty page."""
        return Envelope((), more=True, next=self.next or envelope.next)


@dataclass(kw_only=True)
class EmptyPages(Fault):
    """Sends empty pages for ever, each with a new token."""

    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)

    def envelope(self, envelope: Envelope) -> Envelope:
        """Return an empty page with a token never seen before."""
        return Envelope((), more=True, next=f"token-{next(self._numbers)}")


@dataclass(kw_only=True)
class SameToken(Fault):
    """Sends the same token and the same first page for ever."""

    def question(self, asked: Asked) -> Asked:
        """Return the request without its token."""
        return replace(asked, query={k: v for k, v in asked.query.items() if k != "next"})

    def envelope(self, envelope: Envelope) -> Envelope:
        """Return the page with a token that never changes."""
        return replace(envelope, more=True, next="again")


@dataclass(kw_only=True)
class NewTokens(SameToken):
    """Sends the same first page for ever, each time with a new token."""

    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)

    def envelope(self, envelope: Envelope) -> Envelope:
        """Return the page with a token never seen before."""
        return replace(envelope, more=True, next=f"token-{next(self._numbers)}")


@dataclass(kw_only=True)
class Inclusive(Fault):
    """Reads `added_after` as that moment or later."""

    def question(self, asked: Asked) -> Asked:
        """Return the request with an inclusive filter."""
        return replace(asked, inclusive=True)
