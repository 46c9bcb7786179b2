"""What targets read from what we write there: their rules, and nothing of the writers' code.

Each reader yields all that its target, or the most generous of its kind, may take a line for. Its
facts are those of the vendors' manuals: external dynamic lists of PAN-OS, external resources of
FortiGate, access(5) of Postfix, transforms.conf of Splunk; a plain file is read by anybody.
"""

import json
import re
import socket
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, NamedTuple


class Read(NamedTuple):
    """One thing that a reader took a line for: `address`, `domain`, `below`, `url`, ...

    `below` is every name below a domain; `wildcard` is whatever matches more than one text.
    """

    kind: str
    value: str


DIGESTS = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
_HEX = re.compile(r"[0-9a-fA-F]+")
_NAME = re.compile(r"(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")
_ENDPOINT = re.compile(r"(?:[0-9.]+|\[[0-9a-f:]+\]):[0-9]+/(?:tcp|udp)")
_MAIL = re.compile(r"[^@\s/\\:?#*|,;]+@([^@\s]+\.[^@\s]+)")
# Names inside an organisation, and those that documentation and tests are written in.
_INSIDE = {"local", "internal", "lan", "corp", "home", "intranet", "private"}
_RESERVED = {"example", "invalid", "localhost", "onion", "test"}


@cache
def top_level_domains() -> frozenset[str]:
    """Return the names that the DNS ends with: IANA's as MISP lists them, and reserved ones."""
    found = find_spec("pymispwarninglists")
    assert found is not None
    assert found.origin is not None
    lists = Path(found.origin).parent / "data" / "misp-warninglists" / "lists"
    told = json.loads((lists / "tlds" / "list.json").read_text(encoding="utf-8"))["list"]
    return frozenset({top.lower() for top in told} | _RESERVED | _INSIDE)


def plain(line: str) -> Iterator[Read]:
    """Yield all that any reader of plain lists may take a line for, being told no kind."""
    if _ENDPOINT.fullmatch(line):
        yield Read("endpoint", line)
        return
    if re.match(r"[a-z][a-z0-9+.-]*://", line, re.IGNORECASE):
        yield Read("wildcard" if "*" in line else "url", line)
        return
    if (found := _MAIL.fullmatch(line)) and _name(found[1]):
        yield Read("email", line)
        return
    yield from _marks(line)
    for text in dict.fromkeys(_as_seen(line)):
        yield from _guesses(text)


def _marks(line: str) -> Iterator[Read]:
    if re.match(r"[#;!@.~^|]|//", line) or " #" in line:
        yield Read("comment or pattern", line)
    if len(line) > 1 and line.startswith("/") and line.endswith("/"):
        yield Read("wildcard", line)


def _as_seen(line: str) -> Iterator[str]:
    """Yield the whole and its first column, also unquoted and in plain letters."""
    for text in (line, unicodedata.normalize("NFKC", line).replace("\u3002", ".")):
        yield text
        yield text.strip("\"'")
        first = re.split(r"[\s,;|#]", text.strip("\"'"), maxsplit=1)[0]
        # A number or a word at the start of a sentence is taken for nothing by anybody.
        if re.search(r"[.:/]", first):
            yield first.strip("\"'")


def _guesses(text: str) -> Iterator[Read]:
    if network := _network(text):
        yield Read("address", network)
        return
    if re.fullmatch(r"AS[0-9]{1,10}", text, re.IGNORECASE):
        yield Read("system", text[2:])
    if _HEX.fullmatch(text) and len(text) in DIGESTS:
        yield Read("digest", text.lower())
    if text.lower() in {"any", "all", "default"}:
        yield Read("wildcard", text)
    host, slash, path = text.replace("\\", "/").partition("/")
    host = host.rpartition("@")[2].partition(":")[0]
    if text.startswith("*.") and _name(text[2:]):
        yield Read("below", text[2:].lower())
    elif re.search(r"[*?]", host) or "*" in path:
        yield Read("wildcard", text)
    elif _name(text):
        yield Read("domain", text.lower().rstrip("."))
    elif slash and ((_name(host) and "." in host) or _network(host)):
        yield Read("url", text)
    elif "@" in text and (_network(host) or ("." in host and _name(host))):
        yield Read("address", text)


def _name(text: str) -> bool:
    return (
        _NAME.fullmatch(text) is not None
        and text.rstrip(".").rpartition(".")[2].lower() in top_level_domains()
    )


def _network(text: str) -> str | None:
    """Return the network of a text: as Python, the C library or a parser of ranges has it."""
    if " " in text or not text:
        return None
    zoneless = text.partition("%")[0] if ":" in text else text
    for read in (text, text.strip("[]"), zoneless):
        try:
            return str(ip_network(read, strict=False))
        except ValueError:
            pass
    if found := re.fullmatch(r"([^/]+?)(?:-(.+)|/[0-9.]+|:[0-9]+)", text):
        first = _network(found[1])
        return first if first and (not found[2] or _network(found[2])) else None
    if re.fullmatch(r"[0-9a-fA-Fx.]+", text):
        try:
            return str(ip_network(socket.inet_aton(text)))
        except OSError:
            return None
    return None


def _strict_network(text: str) -> Iterator[Read]:
    """A device skips a line that is none of these; a range is more than any entry."""
    if "-" in text:
        yield Read("wildcard", text)
    try:
        yield Read("address", str(ip_network(text, strict=False)))
    except ValueError:
        return


def panos_ip(line: str) -> Iterator[Read]:
    """Address, mask or range; behind a space stands a comment."""
    value, _, _comment = line.partition(" ")
    yield from _strict_network(value)


def panos_domain(line: str) -> Iterator[Read]:
    """`^name` is that name; a bare name takes in all below where the list expands."""
    if line.startswith("*."):
        yield Read("below", line[2:])
    elif line.startswith("^"):
        yield Read("domain", line[1:])
    else:
        yield Read("domain", line)
        yield Read("below", line)
    if re.search(r"[*^/ ]", line[2:]):
        yield Read("wildcard", line)


def panos_url(line: str) -> Iterator[Read]:
    """No scheme; `*` and `^` stand for words; without a slash other hosts begin like it."""
    if re.match(r"[a-z]+://", line) or re.search(r"[*^]", line) or "/" not in line[:255]:
        yield Read("wildcard", line)
    elif network := _network(line):
        yield Read("address", network)
    else:
        yield Read("url", line)


def fortigate_address(line: str) -> Iterator[Read]:
    """Address, subnet or range alone on its line."""
    yield from _strict_network(line)


def fortigate_domain(line: str) -> Iterator[Read]:
    """A name, or `*` at its start."""
    if line.startswith("*."):
        yield Read("below", line[2:])
    else:
        yield Read("domain", line)
    if "*" in line[2:] or _network(line) or not _name(line.removeprefix("*.")):
        yield Read("wildcard", line)


def fortigate_url(line: str) -> Iterator[Read]:
    """With or without a scheme; `*` matches anything."""
    if "*" in line or " " in line or line.startswith("#"):
        yield Read("wildcard", line)
    elif network := _network(line):
        yield Read("address", network)
    else:
        yield Read("url", line)


def fortigate_hash(line: str) -> Iterator[Read]:
    """A hash, told by its length, and a description."""
    yield Read("digest", line.partition(" ")[0].lower())


def sender_key(key: str, parents_match: bool) -> Iterator[Read]:
    """A key of check_sender_access: user@domain, domain, .domain, user@, or <>."""
    if key == "<>" or key.endswith("@"):
        yield Read("wildcard", key)
    elif "@" in key:
        yield Read("email", key)
    elif key.startswith("."):
        if not parents_match:
            yield Read("below", key[1:])
    else:
        yield Read("domain", key)
        if parents_match:
            yield Read("below", key)


def client_key(key: str) -> Iterator[Read]:
    """A key of check_client_access: an address, a part of one, or a host's name."""
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+){0,3}", key):
        parts = key.split(".")
        zeros = ".".join([*parts, *["0"] * (4 - len(parts))])
        yield Read("address", str(ip_network(f"{zeros}/{8 * len(parts)}")))
    elif ":" in key:
        yield Read("address", _ipv6_key(key))
    else:
        yield Read("domain", key)


def _ipv6_key(key: str) -> str:
    try:
        return str(ip_network(str(ip_address(key))))
    except ValueError:
        groups = key.count(":") + 1
        return str(ip_network(f"{key}::/{16 * groups}"))


HAPROXY_MAPS = {"addresses": "address", "names": "domain", "names_below": "below"}


def haproxy_line(option: str, line: str) -> Iterator[Read]:
    """Yield what HAProxy reads from a line of a map's file: its first word is the key."""
    key = line.lstrip().partition(" ")[0]
    if not key or key.startswith("#"):
        return
    kind = HAPROXY_MAPS[option]
    yield Read(kind, str(ip_network(key, strict=False)) if kind == "address" else key)


def squid_line(option: str, line: str) -> Iterator[Read]:
    """Yield what Squid reads from a line of a list: words, up to a comment."""
    for word in line.partition("#")[0].split():
        if option == "addresses":
            yield Read("address", str(ip_network(word, strict=False)))
            continue
        if word.startswith("."):
            yield Read("below", word[1:])
        yield Read("domain", word.removeprefix("."))


SPLUNK_FIELDS = {
    "ip": "address",
    "endpoint": "endpoint",
    "domain": "domain",
    "url": "url",
    "src_user": "email",
    "subject": "email-subject",
    "file_hash": "digest",
    "ssl_hash": "digest",
    "file_name": "file-name",
    "autonomous_system": "system",
    "http_user_agent": "user-agent",
    "mutex": "mutex",
    "registry_path": "registry-key",
    "process": "process-command",
}


def splunk_document(document: dict[str, object]) -> Iterator[Read]:
    """Each field that events are looked up by."""
    for field, kind in SPLUNK_FIELDS.items():
        if field not in document:
            continue
        value = str(document[field])
        if kind == "address":
            yield Read(kind, str(ip_network(value)))
        elif kind == "domain" and value.startswith("*.") and "*" not in value[2:]:
            yield Read("below", value[2:])
        else:
            yield Read("wildcard" if "*" in value else kind, value)


def packet_filter(listed: str) -> Iterator[Read]:
    """Yield what each element of each set stands for, by the rules that look it up."""
    told = [item for part in json.loads(listed)["nftables"] for item in part.items()]
    elements = {part["name"]: part.get("elem", []) for kind, part in told if kind == "set"}
    for match in [expr["match"] for kind, part in told if kind == "rule" for expr in part["expr"]
                  if "match" in expr]:  # fmt: skip
        for element in elements[match["right"].removeprefix("@")]:
            yield _compared(match["left"], element)


def _compared(left: dict[str, Any], element: Any) -> Read:
    if "concat" in left:
        address, protocol, port = element["concat"]
        host = f"[{address}]" if ":" in address else address
        return Read("endpoint", f"{host}:{port}/{protocol}")
    if "&" in left:
        mask = ip_address(left["&"][1])
        return Read("address", str(ip_network(f"{element}/{int(mask).bit_count()}")))
    return Read("address", str(ip_network(element)))
