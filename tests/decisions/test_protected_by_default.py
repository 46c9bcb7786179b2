"""What no blocklist may hold when the file says nothing of an allowlist.

Values are real ones: that they are kept is what is promised.
"""

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.config.chosen_lists import choose
from connector.config.default_lists import DEFAULT_LISTS, SHARED_LISTS
from connector.config.kept_lists import read_lists
from connector.config.warninglist_files import installed_lists, version_of, warning_about
from connector.decisions.allowlist.allowlist import Allowlist
from connector.decisions.allowlist.builtin import builtin_rules
from connector.decisions.allowlist.groups import MEANINGS, BuiltinGroup
from connector.decisions.allowlist.kept_hosts import kept_hosts, parse_kept_hosts
from connector.decisions.allowlist.values import read_allow_value
from connector.indicators.observables.lookup import meanings
from connector.model import Observable, ObservableType, Purpose

NOW = datetime(2026, 11, 27, tzinfo=UTC)


@pytest.fixture(scope="module")
def default():
    """The allowlist of a file without a word on it."""
    return Allowlist.build(warninglists=read_lists(choose(["default"], (), installed_lists())))


def group_of(allowlist, kind, value, purpose=Purpose.BLOCK):
    found = allowlist.protects(Observable(ObservableType(kind), value), NOW, purpose)
    return found and str(found.group)


NAMED_AS_VITAL = {
    "ipv4-addr": "198.41.0.4 192.5.6.30 168.63.129.16 169.254.169.254 129.6.15.28 216.239.35.0 "
    "20.190.128.1 52.96.1.1 199.19.56.1",
    "ipv6-addr": "2001:503:ba3e::2:30 2001:dc3::35 2001:503:a83e::2:30 fd00:ec2::254",
    "domain-name": "a.root-servers.net m.root-servers.net root-servers.net a.gtld-servers.net "
    "a.ns.gov a.nic.de dns1.nic.uk pool.ntp.org 0.us.pool.ntp.org time.nist.gov "
    "time.windows.com time.apple.com time.google.com time.cloudflare.com ntp.ubuntu.com "
    "microsoft.com www.microsoft.com windowsupdate.com download.windowsupdate.com "
    "update.microsoft.com delivery.mp.microsoft.com login.microsoftonline.com "
    "login.microsoft.com login.windows.net login.live.com aadcdn.msauth.net graph.microsoft.com "
    "accounts.google.com appleid.apple.com gdmf.apple.com login.okta.com login.gov id.me "
    "ocsp.digicert.com crl3.digicert.com crl4.digicert.com ocsp.sectigo.com ocsp.usertrust.com "
    "ocsp.globalsign.com ocsp.entrust.net ocsp.identrust.com ocsp.godaddy.com "
    "ocsp.rootca1.amazontrust.com ocsp.pki.goog c.pki.goog oneocsp.microsoft.com crl.microsoft.com "
    "ctldl.windowsupdate.com ocsp.apple.com r3.o.lencr.org x1.c.lencr.org http.fpki.gov "
    "deb.debian.org security.debian.org security.ubuntu.com cdn.redhat.com aus5.mozilla.org "
    "update.googleapis.com dl.google.com cisa.gov www.cisa.gov us-cert.gov 911.gov fema.gov "
    "weather.gov cisecurity.org splunk.com paloaltonetworks.com updates.paloaltonetworks.com "
    "fortinet.com fortiguard.net checkpoint.com cisco.com elastic.co crowdstrike.com zscaler.com "
    "proofpoint.com wazuh.com *.windowsupdate.com",
    "url": "http://windowsupdate.com/ http://microsoft.com/ http://ocsp.digicert.com/MFEwTz "
    "http://crl3.digicert.com/sha2-ev-server-g3.crl https://login.microsoftonline.com/common/ "
    "https://www.cisa.gov/news-events",
    "endpoint": "198.41.0.4:53/udp 168.63.129.16:53/udp",
}


@pytest.mark.parametrize(
    ("kind", "value"),
    [(kind, value) for kind, values in NAMED_AS_VITAL.items() for value in values.split()],
)
def test_what_stops_names_time_certificates_log_on_or_updates_is_never_blocked(
    default, kind, value
):
    assert group_of(default, kind, value) is not None


TRIVIAL = [b"\n", b"\0", b" ", b"\r\n", b"\xef\xbb\xbf", b"\0" * 17, b"\0" * 4096, b"1", b"{}\n",
           b"PK\x05\x06" + bytes(18), bytes(10240), bytes.fromhex("1f8b0800000000000003"
           "03000000000000000000")]  # fmt: skip


@pytest.mark.parametrize("content", TRIVIAL, ids=lambda content: repr(content[:12]))
@pytest.mark.parametrize("name", ["md5", "sha1", "sha256", "sha512"])
def test_the_digest_of_a_file_that_holds_next_to_nothing_is_never_blocked(default, name, content):
    digest = hashlib.new(name, content).hexdigest()
    assert group_of(default, f"file-{name}", digest) == "empty_files"


@pytest.mark.parametrize(
    "name",
    ["svchost.exe", "SvcHost.exe", "lsass.exe", "ntdll.dll", "systemd", "launchd", "cmd.exe"],
)
def test_the_file_names_of_operating_systems_are_never_blocked(default, name):
    assert group_of(default, "file-name", name) == "system_files"
    assert group_of(default, "file-name", "svch0st.exe") is None


# Each incident is public: who blocked by mistake, when, and what was blocked. The comment names the
# report that was read. A stand-in takes the place of a value that the report does not give.
INCIDENTS = {
    # Cloudflare, The unintended consequences of blocking IP addresses, 16 December 2022: it counts
    # eleven addresses and names none. Both values are stand-ins from networks of Cloudflare.
    "Austria, August 2022: a court has addresses of Cloudflare blocked": [
        "ipv4-addr 172.67.180.1", "ipv4-addr 188.114.96.0/24",
    ],
    # Punto Informatico, Piracy Shield blocca IP di Cloudflare, February 2024.
    "Italy, February 2024: Piracy Shield blocks an address of Cloudflare": [
        "ipv4-addr 188.114.97.7",
    ],
    # Techdirt, Italy's Piracy Shield Misfires, Blocks Google Drive, 21 October 2024.
    "Italy, October 2024: Piracy Shield blocks downloads from Google Drive": [
        "domain-name drive.usercontent.google.com",
    ],
    # Vercel, Update on Spain and LALIGA blocks of the internet, 18 April 2025: its two addresses.
    # Cloudnews: a letter of LaLiga of 29 September 2025 that names the one of Cloudflare.
    "Spain, 2025: LaLiga has addresses of Cloudflare and Vercel blocked": [
        "ipv4-addr 188.114.96.5", "ipv4-addr 66.33.60.129", "ipv4-addr 76.76.21.142",
    ],
    # github.com/hagezi/dns-blocklists, issues 6898 and 6900, 2 and 3 August 2025.
    "A list of threats for resolvers, August 2025: addresses of Cloudflare are on it": [
        "ipv4-addr 104.21.48.1", "ipv4-addr 104.21.96.1", "ipv4-addr 104.21.32.1",
    ],
    # RBC, 18 April 2018: it counts 18 networks of Amazon and Google and names none. Both values are
    # stand-ins from networks of these two.
    "Russia, April 2018: a messenger is blocked with whole clouds": [
        "ipv4-addr 52.56.0.0/13", "ipv4-addr 35.192.0.0/12",
    ],
    # Techdirt, 31 December 2014; the Department of Telecommunications' order of 17 December 2014.
    "India, December 2014: sites where everybody keeps files and code are blocked": [
        "domain-name github.com", "domain-name pastebin.com", "domain-name vimeo.com",
        "domain-name archive.org",
    ],
    # RIPE NCC, YouTube Hijacking: A RIPE NCC RIS case study: it names the network.
    "Pakistan, February 2008: a video site is blocked, for the whole world": [
        "domain-name youtube.com", "ipv4-addr 208.65.153.0/24",
    ],
    # SenseCy, Turkish Government Bans Twitter and Hijacks IP Addresses, 31 March 2014.
    "Turkey, March 2014: public resolvers are blocked": [
        "ipv4-addr 8.8.8.8", "ipv4-addr 208.67.222.222", "ipv4-addr 4.2.2.2",
    ],
    # A user's account (joyk.com/dig/detail/1645534588151875): connections to it timed out.
    "China, April 2020: certificate status of Let's Encrypt is blocked": [
        "domain-name ocsp.int-x3.letsencrypt.org",
    ],
    # BelchSpeak, 7 July 2014, names no-ip.com, .org and .me; No-IP's own blog counts 23 domains.
    "No-IP, June 2014: names of millions of customers are seized": ["domain-name no-ip.org"],
    # Technibble, 21 April 2010: signatures 5958.
    "McAfee, April 2010: an update of signatures removes a system file": [
        "file-name svchost.exe",
    ],
    # SC Magazine UK, November 2008.
    "AVG, November 2008: an update of signatures removes a system file": [
        "file-name user32.dll",
    ],
    # Virus Bulletin, Norton FP trashes Chinese systems, 21 May 2007.
    "Symantec, May 2007: an update of signatures removes system files": [
        "file-name netapi32.dll", "file-name lsasrv.dll",
    ],
    # CSO, 25 April 2017.
    "Webroot, April 2017: popular sites count as phishing": [
        "domain-name facebook.com", "domain-name bloomberg.com",
    ],
    # TorrentFreak, 25 January 2022: "1" alone, "1" with a line feed, "0" alone.
    "Google Drive, January 2022: a file of one digit counts as forbidden": [
        f"file-sha256 {hashlib.sha256(held).hexdigest()}" for held in (b"1", b"1\n", b"0")
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("incident", "value"),
    [(incident, value) for incident, values in INCIDENTS.items() for value in values],
)
def test_what_was_blocked_in_a_known_incident_is_not_blocked(default, incident, value):
    kind, _, blocked = value.partition(" ")
    assert group_of(default, kind, blocked) is not None, incident


def test_the_incidents_are_sixteen_with_twenty_five_values_or_more():
    assert len(INCIDENTS) == 16
    assert sum(map(len, INCIDENTS.values())) >= 25


SHARED = {
    "ipv4-addr": "104.16.132.229 151.101.1.140 13.32.1.1 13.107.246.10 142.250.1.100 23.32.1.1 "
    "185.199.108.153 188.114.97.0/24",
    "ipv6-addr": "2606:4700::6810:84e5 2a04:4e42::81",
    "endpoint": "104.16.132.229:443/tcp",
    "domain-name": "drive.usercontent.google.com pypi.org cdn.jsdelivr.net",
}


@pytest.mark.parametrize(
    ("kind", "value"),
    [(kind, value) for kind, values in SHARED.items() for value in values.split()],
)
def test_what_very_many_share_is_watched_and_not_blocked(default, kind, value):
    assert group_of(default, kind, value) is not None
    assert group_of(default, kind, value, Purpose.WATCH) is None


def test_shared_addresses_are_told_as_such(default):
    assert group_of(default, "ipv4-addr", "104.16.132.229") == "shared_hosting"
    assert group_of(default, "ipv4-addr", "13.32.1.1") == "shared_hosting"
    assert group_of(default, "domain-name", "files.pythonhosted.org") == "shared_hosting"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("url", "https://drive.usercontent.google.com/download?id=1bad"),
        ("url", "http://104.16.132.229/bad.bin"),
        ("url", "https://cdn.jsdelivr.net/gh/bad/bad@1/x.js"),
        ("url", "https://files.pythonhosted.org/packages/aa/bb/bad-1.0.tar.gz"),
        ("url", "https://forms.microsoft.com/r/bad"),
        ("domain-name", "d111111abcdef8.cloudfront.net"),
        ("domain-name", "bad.workers.dev"),
        ("domain-name", "bad.z13.web.core.windows.net"),
        ("domain-name", "bad.eastus.cloudapp.azure.com"),
        ("domain-name", "microsoft-login.bad-host.com"),
        ("domain-name", "bad-windowsupdate.com"),
        ("ipv4-addr", "3.5.140.2"),
        ("ipv4-addr", "20.36.0.1"),
        ("ipv4-addr", "34.64.0.10"),
        ("ipv4-addr", "172.232.1.1"),
        ("file-name", "invoice.exe"),
    ],
)
def test_what_one_customer_has_on_shared_ground_can_be_blocked(default, kind, value):
    assert group_of(default, kind, value) is None


@pytest.mark.parametrize("value", ["windowsupdate.com", "login.microsoftonline.com", "cisa.gov"])
def test_watchlists_may_hold_what_is_vital(default, value):
    assert group_of(default, "domain-name", value, Purpose.WATCH) is None


def test_each_group_of_hosts_can_be_switched_off_by_itself():
    lists = read_lists(choose([], ["shared_hosting"], installed_lists()))
    without = Allowlist.build(without=["shared_hosting", "vital"], warninglists=lists)
    for value in ("104.16.132.229", "198.41.0.4"):
        assert group_of(without, "ipv4-addr", value) is None
    assert group_of(without, "domain-name", "windowsupdate.com") is None


def test_lists_that_a_file_names_hold_on_watchlists_too():
    chosen = choose(["google", "default"], (), installed_lists())
    lists = read_lists(chosen)
    name = Observable(ObservableType.DOMAIN_NAME, "google.com")
    site = Observable(ObservableType.DOMAIN_NAME, "bloomberg.com")
    assert lists.protects(name, Purpose.WATCH).group == "warninglist:google"
    assert lists.protects(site, Purpose.WATCH) is None
    assert lists.protects(site, Purpose.BLOCK).group.startswith("warninglist:")


def test_popular_names_are_kept_and_not_what_others_have_below_them(default):
    lists = read_lists(choose(["default"], (), installed_lists()))
    for name, held in (("wordpress.org", True), ("bad.sourceforge.net", False)):
        found = lists.protects(Observable(ObservableType.DOMAIN_NAME, name), Purpose.BLOCK)
        assert (found is not None) is held, name


def test_every_default_list_is_installed_holds_something_and_is_no_doubtful_one():
    installed = installed_lists()
    for name in (*DEFAULT_LISTS, *SHARED_LISTS):
        assert version_of(installed[name].path), name
        assert warning_about(name) is None


@pytest.mark.parametrize("file", ["vital.txt", "shared_hosting.txt"])
def test_every_kept_host_can_be_read_and_has_its_document(file):
    hosts = list(kept_hosts(file))
    assert len(hosts) > 200
    for host in hosts:
        read_allow_value(host.value)
        assert host.source.startswith("https://")
        assert host.why


@pytest.mark.parametrize("lines", [["windowsupdate.com"], ["[updates]", "windowsupdate.com"]])
def test_a_kept_host_without_a_document_is_refused(lines):
    with pytest.raises(ValueError, match=r"^vital.txt:1: "):
        list(parse_kept_hosts("vital.txt", lines))


def test_vital_hosts_say_what_they_are_for_and_where_that_is_written(default):
    found = default.protects(
        Observable(ObservableType.DOMAIN_NAME, "download.windowsupdate.com"), NOW
    )
    assert (found.group, found.why) == ("vital", "updates of Windows")
    assert found.source.startswith("https://learn.microsoft.com/")


def test_every_group_is_explained_in_words():
    assert set(MEANINGS) == set(BuiltinGroup)
    said = {rule.group for rule in builtin_rules(())}
    in_code = {"public_suffixes", "wide_prefixes", "own_hosts"}
    assert said | in_code == set(BuiltinGroup)


def test_the_page_on_the_allowlist_names_every_group_and_every_default_list():
    page = (Path(__file__).parents[2] / "docs" / "allowlist.md").read_text("utf-8")
    for group in BuiltinGroup:
        assert f"| `{group}` | " in page
    rows = dict(re.findall(r"^\| `([^`]+)` \| ([^|]+) \|$", page, re.M))
    assert rows == dict(DEFAULT_LISTS)


def test_a_value_typed_by_a_person_is_found_protected_too(default):
    for asked in ("windowsupdate.com", "198.41.0.4"):
        assert any(default.protects(meant, NOW) for meant in meanings(asked))
