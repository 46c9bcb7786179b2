"""SpamAssassin and Exim load our files, and know listed senders and clients and no others."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from edl_files import ADDRESSES, DOMAIN, MAILBOX, V4, V6, entries, published
from edl_programs import open_folder, require
from exim_host import Exim
from test_kinds import NAMED, as_read, unread

from connector.adapter import Entry, ObservableType
from connector.testing.samples.entries import hostile_values, sample_values

pytestmark = pytest.mark.real_server

SENDERS = entries(MAILBOX, "a.b+c@sender.example", "phish@sender.example", comment="${x}")
SITES = entries(DOMAIN, "*.below.example", "bad.example")
CLIENTS = [*entries(V4, "192.0.2.0/24", "203.0.113.9"), *entries(V6, "2001:db8:1::/64")]
LISTED = ["phish@sender.example", "PHISH@Sender.example", "a.b+c@sender.example"]
LISTED += ["x@bad.example", "x@a.below.example", "x@a.b.below.example"]
OTHERS = ["xphish@sender.example", "a.b@sender.example", "aXb+c@sender.example", "x@good.example"]
OTHERS += ["x@www.bad.example", "x@xbad.example", "x@below.example", "x@bad.example.org"]


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


def files(form: str, folder: Path, senders: list[Entry], sites: list[Entry]) -> tuple[Path, Path]:
    kinds = (("senders", MAILBOX, senders), ("sites", DOMAIN, sites))
    made = []
    for file, kind, listed in kinds:
        path, _ = published(folder, listed, format=form, file=f"{file}.cf", types=[kind])
        path.chmod(0o644)
        made.append(path)
    return made[0], made[1]


def hostile() -> list[Entry]:
    texts = [*NAMED, *(value for kind in ObservableType for value in hostile_values(kind))]
    texts += [next(sample_values(kind)) for kind in ObservableType]
    return [Entry(one) for one in sorted({*as_read(texts), *unread(texts)})]


class SpamAssassin:
    """Its programs with our files beside its own plugins."""

    def __init__(self, folder: Path, *files: Path) -> None:
        require("spamassassin")
        self.site = folder / "site"
        self.site.mkdir()
        for plugins in Path("/etc/spamassassin").glob("*.pre"):
            shutil.copy(plugins, self.site)
        (self.site / "local.cf").write_text("dns_available no\nscore NO_RELAYS 0\n")
        for file in files:
            shutil.copy(file, self.site / f"zz_{file.name}")
        (folder / "prefs").write_text("")
        self.prefs = folder / "prefs"

    def _run(self, *words: str, said: str = "") -> str:
        options = ("--siteconfigpath", str(self.site), "-p", str(self.prefs))
        clean = {**os.environ, "HOME": str(self.site.parent), "LC_ALL": "C"}
        command = ["spamassassin", "--local", *words, *options]
        done = subprocess.run(
            command, input=said, capture_output=True, text=True, check=False, env=clean, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def lint(self) -> None:
        self._run("--lint")

    def blocked(self, *senders: str) -> set[str]:
        """Return the senders whose message hits the blocklist, by one run over a mailbox."""
        mailbox = "".join(
            f"From sender Fri Nov 27 15:00:00 2026\nFrom: {sender}\nTo: a@agency.example\n"
            f"Subject: {number}\nDate: Fri, 27 Nov 2026 15:00:00 +0000\n\nhello\n\n"
            for number, sender in enumerate(senders)
        )
        told = self._run("--test-mode", "--mbox", said=mailbox)
        messages = re.split(r"^From sender.*$", told, flags=re.MULTILINE)[1:]
        found = {re.search(r"^From: (.*)$", one, re.MULTILINE)[1]: one for one in messages}
        assert found.keys() == set(senders)
        return {sender for sender, message in found.items() if "USER_IN_BLOCKLIST" in message}


def test_spamassassin_knows_listed_senders_and_no_others(folder: Path) -> None:
    engine = SpamAssassin(folder, *files("spamassassin", folder, SENDERS, SITES))
    engine.lint()
    assert engine.blocked(*LISTED, *OTHERS) == set(LISTED)


def test_spamassassin_forgets_a_sender_that_left_the_list(folder: Path) -> None:
    engine = SpamAssassin(folder, *files("spamassassin", folder, SENDERS[:1], []))
    assert engine.blocked("phish@sender.example", "a.b+c@sender.example", "x@bad.example") == {
        "a.b+c@sender.example"
    }


def test_spamassassin_parses_hostile_values_and_takes_none_for_more(folder: Path) -> None:
    found = hostile()
    senders = [one for one in found if one.type is MAILBOX]
    sites = [one for one in found if one.type is DOMAIN]
    engine = SpamAssassin(folder, *files("spamassassin", folder, senders, sites))
    engine.lint()
    innocent = {"x@yahoo.com", "x@www.gov", "anybody@mail.test", "x@agency.de"}
    assert engine.blocked(*sorted(innocent)) == set()


_ACLS = """
clients:
  deny hosts = net-iplsearch;{clients}
  accept
senders:
  deny senders = lsearch;{senders}
  deny sender_domains = nwildlsearch;{sites}
  accept
"""


def exim(folder: Path, senders: list[Entry], sites: list[Entry], clients: list[Entry]) -> Exim:
    listed = files("exim", folder, senders, sites)
    options = {"format": "exim", "file": "clients", "types": ADDRESSES}
    path, _ = published(folder, clients, **options)
    path.chmod(0o644)
    senders_file, sites_file = listed
    return Exim(folder, _ACLS.format(senders=senders_file, sites=sites_file, clients=path))


def test_exim_refuses_listed_senders_and_clients_and_no_others(folder: Path) -> None:
    host = exim(folder, SENDERS, SITES, CLIENTS)
    assert host.refused(*LISTED, *OTHERS) == set(LISTED)
    listed = ("192.0.2.200", "203.0.113.9", "2001:db8:1::5")
    assert [client for client in listed if host.refuses_client(client)] == list(listed)
    assert not any(map(host.refuses_client, ("203.0.113.8", "192.0.3.1", "2001:db8:2::1")))


def test_exim_serves_again_what_left_the_list(folder: Path) -> None:
    host = exim(folder, SENDERS[:1], [], [])
    assert host.refused(*LISTED) == {"a.b+c@sender.example"}
    assert not host.refuses_client("203.0.113.9")


def test_exim_reads_hostile_values_as_themselves_alone(folder: Path) -> None:
    found = hostile()
    wide = {"0.0.0.0/0", "::/0"}
    by_kind = [[one for one in found if one.type is kind] for kind in (MAILBOX, DOMAIN)]
    clients = [one for one in found if one.type in {V4, V6} and one.value not in wide]
    host = exim(folder, *by_kind, clients)
    assert host.refused("x@yahoo.com", "x@www.gov", "anybody@mail.de", "root@agency.de") == set()
    assert not any(map(host.refuses_client, ("198.51.100.200", "9.9.9.9", "2001:db8:7::1")))
