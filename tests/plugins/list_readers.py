"""What programs read from the files they include: their rules, and nothing of the writers' code.

Each reader yields all that its program may take a line for. Its facts are those of the manuals:
hosts(5), dnsmasq(8), unbound.conf(5), squid.conf, ngx_http_geo_module and ngx_http_map_module,
datasets and reputation of Suricata, the intelligence framework of Zeek, lists of Snort,
Mail::SpamAssassin::Conf, the lookup types of Exim.
"""

import base64
import csv
import json
import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network, summarize_address_range

from target_readers import DIGESTS, Read

Reader = Callable[[str], Iterator[Read]]
_NAME = re.compile(r"(?:[a-z0-9_-]+\.)+[a-z0-9-]+")


def _other(line: str) -> Iterator[Read]:
    """A line that means something else than a listed value: a directive, a pattern."""
    yield Read("wildcard", line)


def _network(text: str) -> Iterator[Read]:
    try:
        yield Read("address", str(ip_network(text)))
    except ValueError:
        yield from _other(text)


def _name(text: str, *, alone: bool = True, below: bool = False) -> Iterator[Read]:
    if not _NAME.fullmatch(text):
        yield from _other(text)
        return
    if alone:
        yield Read("domain", text)
    if below:
        yield Read("below", text)


def hosts(line: str) -> Iterator[Read]:
    """An address, then every name that has it."""
    address, *names = line.partition("#")[0].split()
    for name in names:
        yield from _name(name) if address in {"0.0.0.0", "::"} else _other(line)  # noqa: S104


def dnsmasq(line: str) -> Iterator[Read]:
    """One option a line; `address=/x/` is x and all below, `address=/*.x/` what is below."""
    option, _, value = line.partition("=")
    if option == "host-record":
        name, *answers = value.split(",")
        yield from _name(name) if answers == ["0.0.0.0", "::"] else _other(line)  # noqa: S104
    elif option == "address" and re.fullmatch(r"/[^/]+/", value):
        star = value[1:-1].startswith("*.")
        name = value[1:-1].removeprefix("*.")
        yield from _name(name, alone=not star, below=True)
    else:
        yield from _other(line)


def unbound(line: str) -> Iterator[Read]:
    """A zone is its name and all below; data is the name alone."""
    if line == "server:":
        return
    if found := re.fullmatch(r'local-zone: "([^" ]+)\." always_nxdomain', line):
        yield from _name(found[1], below=True)
    elif found := re.fullmatch(r'local-data: "([^" ]+)\. 60 IN (?:A 0\.0\.0\.0|AAAA ::)"', line):
        yield from _name(found[1])
    else:
        yield from _other(line)


def squid_address(line: str) -> Iterator[Read]:
    """An address or a prefix; a range is more than any entry."""
    yield from _network(line)


def squid_domain(line: str) -> Iterator[Read]:
    """A dot before a name takes in all below it, and the name."""
    yield from _name(line.removeprefix("."), below=line.startswith("."))


def nginx_geo(line: str) -> Iterator[Read]:
    """A prefix and its value."""
    key, _, value = line.partition(" ")
    yield from _network(key) if value == "1;" else _other(line)


def nginx_map(line: str) -> Iterator[Read]:
    """A host name and its value; `*.` is all below, a dot the name and all below."""
    key, _, value = line.partition(" ")
    if value != "1;":
        yield from _other(line)
        return
    star = key.startswith("*.")
    yield from _name(key.removeprefix("*."), alone=not star, below=star)


def suricata_address(line: str) -> Iterator[Read]:
    """One address."""
    yield from _network(line) if "/" not in line else _other(line)


def suricata_text(kind: str) -> Reader:
    """A text in base64, compared as a whole."""

    def reader(line: str) -> Iterator[Read]:
        text = base64.b64decode(line, validate=True).decode()
        yield Read(kind, text.replace(":", "") if kind == "digest" else text)

    return reader


def suricata_hash(line: str) -> Iterator[Read]:
    """A hash in hexadecimal."""
    yield from [Read("digest", line)] if re.fullmatch(r"[0-9a-f]+", line) else _other(line)


def suricata_iprep(line: str) -> Iterator[Read]:
    """Address or prefix, category, score."""
    address, category, score = line.split(",")
    assert 0 < int(category) < 60
    assert 0 < int(score) < 128
    yield from _network(address)


_ZEEK = {
    "Intel::ADDR": "address", "Intel::SUBNET": "address", "Intel::DOMAIN": "domain",
    "Intel::URL": "url", "Intel::EMAIL": "email", "Intel::FILE_HASH": "digest",
    "Intel::CERT_HASH": "digest", "Intel::FILE_NAME": "file-name", "Intel::SOFTWARE": "user-agent",
}  # fmt: skip


def zeek(line: str) -> Iterator[Read]:
    """Columns between tabs; `\\x` begins an escape, and `-` is nothing."""
    if line.startswith("#fields\t"):
        return
    value, kind, *meta = line.split("\t")
    read = _ZEEK.get(kind)
    if line.startswith("#") or len(meta) != 3 or read is None or "\\" in line or value == "-":
        yield from _other(line)
    elif read == "address":
        assert ("/" in value) == (kind == "Intel::SUBNET")
        yield from _network(value)
    elif read == "digest" and len(value) not in DIGESTS:
        yield from _other(line)
    else:
        yield Read(read, value)


def snort(line: str) -> Iterator[Read]:
    """An address or a prefix."""
    yield from _network(line)


def spamassassin(line: str) -> Iterator[Read]:
    """A directive and its addresses; `*` and `?` stand for anything, `#` begins a comment."""
    directive, *addresses = line.partition("#")[0].split()
    for address in addresses:
        if directive != "blocklist_from" or address != line.split(maxsplit=1)[1]:
            yield from _other(line)
        elif address.startswith("*@"):
            host = address.removeprefix("*@")
            below = host.startswith("*.")
            yield from _name(host.removeprefix("*."), alone=not below, below=below)
        else:
            yield Read("wildcard" if re.search(r"[*?]", address) else "email", address)


def exim_address(line: str) -> Iterator[Read]:
    """A key of `iplsearch`: quoted where it has colons."""
    found = re.fullmatch(r'(?:"([0-9a-f:./]+)"|([0-9./]+)):(?: .*)?', line)
    yield from _network(found[1] or found[2]) if found else _other(line)


def exim_mailbox(line: str) -> Iterator[Read]:
    """A key of `lsearch`: it ends at white space or a colon."""
    found = re.fullmatch(r"([^\s:#\"*]+@[^\s:#\"]+):(?: .*)?", line)
    yield from [Read("email", found[1])] if found else _other(line)


def exim_domain(line: str) -> Iterator[Read]:
    """A key of `nwildlsearch`: `*` at its start is any beginning, `^` a regular expression."""
    found = re.fullmatch(r"([^\s:#\"^]+):(?: .*)?", line)
    if not found:
        yield from _other(line)
        return
    below = found[1].startswith("*.")
    yield from _name(found[1].removeprefix("*."), alone=not below, below=below)


def fmc_domain(line: str) -> Iterator[Read]:
    """A name and all below it; `*` stands for a label."""
    star = line.startswith("*.")
    yield from _name(line.removeprefix("*."), alone=not star, below=True)


def fmc_url(line: str) -> Iterator[Read]:
    """A host with a path; without a slash, all below and every path."""
    host, slash, _path = line.partition("/")
    if not slash or "*" in line or "[" in host:
        yield from _other(line)
    else:
        yield Read("url", line)


_CHECKPOINT = {
    "IP": "address", "IP Range": "address", "Domain": "domain", "URL": "url", "MD5": "digest",
    "SHA1": "digest", "SHA256": "digest", "Mail-from": "email", "Mail-subject": "email-subject",
}  # fmt: skip


def checkpoint(line: str) -> Iterator[Read]:
    """Seven columns; `#` begins a comment."""
    if line.startswith("#UNIQ-NAME,"):
        return
    columns = line.split(",")
    if len(columns) != 7 or line.startswith("#") or columns[2] not in _CHECKPOINT:
        yield from _other(line)
        return
    _unique, value, kind, *_levels = columns
    if kind == "IP Range":
        first, last = map(ip_address, value.split("-"))
        (network,) = summarize_address_range(first, last)
        yield Read("address", str(network))
    elif kind == "IP":
        yield from _network(value)
    else:
        yield Read(_CHECKPOINT[kind], value)


def _typed(kind: str, value: str) -> Iterator[Read]:
    named = {"ipv4-addr": "address", "ipv6-addr": "address", "domain-name": "domain"}
    named |= {"email-addr": "email", "autonomous-system": "system"}
    if kind == "domain-name" and value.startswith("*."):
        yield Read("below", value[2:])
    elif "-sha" in kind or "-md5" in kind:
        yield Read("digest", value)
    elif named.get(kind) == "address":
        yield from _network(value)
    else:
        yield Read(named.get(kind, kind), value)


def csv_row(line: str) -> Iterator[Read]:
    """Columns by RFC 4180; a spreadsheet calculates what begins with one of these signs."""
    (row,) = csv.reader([line])
    if row[:2] == ["type", "value"]:
        return
    yield from _other(line) if row[1][:1] in {*"=+-@"} else _typed(row[0], row[1])


def json_line(line: str) -> Iterator[Read]:
    """An object with type and value."""
    told = json.loads(line)
    yield from _typed(told["type"], told["value"])
