"""What must never be stopped anywhere: the built-in groups and their values."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from connector.decisions.allowlist.groups import BuiltinGroup
from connector.decisions.allowlist.kept_hosts import kept_hosts
from connector.decisions.allowlist.networks import is_address
from connector.decisions.allowlist.protection import Scope
from connector.decisions.allowlist.system_files import SYSTEM_FILES
from connector.decisions.allowlist.trivial_files import trivial_digests
from connector.model import ObservableType

__all__ = ["BuiltinRule", "builtin_rules"]


SHARED_HOSTING_FILE: Final = "shared_hosting.txt"


@dataclass(frozen=True, slots=True)
class BuiltinRule:
    """One value of a built-in group; `watched` keeps it off blocklists only."""

    group: BuiltinGroup
    value: str
    why: str
    scope: Scope = Scope.TREE
    watched: bool = False
    source: str = ""


# IANA special-purpose registries of addresses and AS numbers, multicast and unallocated space.
# Documentation ranges are a group of their own, so that a demonstration can free just them.
_SPECIAL_PURPOSE: Final = MappingProxyType(
    {
        "this network": "0.0.0.0/8",
        "private use": "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7",
        "shared address space of carriers (CGNAT)": "100.64.0.0/10",
        "loopback": "127.0.0.0/8 ::1/128",
        "link-local": "169.254.0.0/16 fe80::/10",
        "IETF protocol assignments": "192.0.0.0/24 2001::/23",
        "AS112 service": "192.31.196.0/24 192.175.48.0/24 2620:4f:8000::/48",
        "automatic multicast tunnelling": "192.52.193.0/24",
        "6to4 relays": "192.88.99.0/24 2002::/16",
        "benchmarking": "198.18.0.0/15",
        "multicast": "224.0.0.0/4 ff00::/8",
        "reserved by the IETF": "240.0.0.0/4 ::/3 4000::/2 8000::/1",
        "limited broadcast": "255.255.255.255/32",
        "unspecified address": "::/128",
        "IPv4-mapped address": "::ffff:0:0/96",
        "IPv4 translation (NAT64)": "64:ff9b::/96 64:ff9b:1::/48",
        "discard-only": "100::/64 100:0:0:1::/64",
        "segment routing": "5f00::/16",
        "reserved AS number": "AS0 AS23456 AS65535 AS65552-AS131071 AS4294967295",
        "private AS number": "AS64512-AS65534 AS4200000000-AS4294967294",
        "special-use name": "localhost local localdomain internal onion alt arpa",
    }
)

_DOCUMENTATION: Final = MappingProxyType(
    {
        "documentation range": "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 "
        "3fff::/20",
        "documentation AS number": "AS64496-AS64511 AS65536-AS65551",
        "name for documentation and tests": "example example.com example.net example.org test "
        "invalid",
    }
)

_PUBLIC_RESOLVERS: Final = MappingProxyType(
    {
        "Google Public DNS": "8.8.8.8 8.8.4.4 2001:4860:4860::8888 2001:4860:4860::8844 "
        "2001:4860:4860::64 2001:4860:4860::6464 dns.google dns.google.com dns64.dns.google",
        "Cloudflare DNS": "1.1.1.1 1.0.0.1 1.1.1.2 1.0.0.2 1.1.1.3 1.0.0.3 "
        "2606:4700:4700::1111 2606:4700:4700::1001 2606:4700:4700::1112 2606:4700:4700::1002 "
        "2606:4700:4700::1113 2606:4700:4700::1003 2606:4700:4700::64 2606:4700:4700::6400 "
        "one.one.one.one cloudflare-dns.com",
        "Quad9": "9.9.9.9 149.112.112.112 9.9.9.10 149.112.112.10 9.9.9.11 149.112.112.11 "
        "2620:fe::fe 2620:fe::9 2620:fe::10 2620:fe::fe:10 2620:fe::11 2620:fe::fe:11 "
        "dns.quad9.net dns9.quad9.net dns10.quad9.net dns11.quad9.net",
        "OpenDNS": "208.67.222.222 208.67.220.220 208.67.222.123 208.67.220.123 "
        "2620:119:35::35 2620:119:53::53 2620:119:35::123 2620:119:53::123 "
        "dns.opendns.com doh.opendns.com resolver1.opendns.com resolver2.opendns.com "
        "doh.familyshield.opendns.com dns.umbrella.com doh.umbrella.com",
        "Level 3": "4.2.2.1 4.2.2.2 4.2.2.3 4.2.2.4 4.2.2.5 4.2.2.6",
        "UltraDNS Public": "64.6.64.6 64.6.65.6 156.154.70.1 156.154.71.1",
        "AdGuard DNS": "94.140.14.14 94.140.15.15 2a10:50c0::ad1:ff 2a10:50c0::ad2:ff "
        "dns.adguard-dns.com",
        "CleanBrowsing": "185.228.168.9 185.228.169.9 185.228.168.10 185.228.169.11 "
        "185.228.168.168 185.228.169.168 doh.cleanbrowsing.org",
        "Control D": "76.76.2.0 76.76.10.0 freedns.controld.com",
    }
)

# Names that many share: as a domain they stop everybody, an address or a page at them is fine.
_MAIL_PROVIDERS: Final = MappingProxyType(
    {
        "mailbox provider": "gmail.com googlemail.com outlook.com hotmail.com live.com msn.com "
        "passport.com hotmail.co.uk hotmail.ca hotmail.de hotmail.es hotmail.fr hotmail.it "
        "live.ca live.co.uk live.fr live.nl outlook.de outlook.es outlook.fr "
        "yahoo.com yahoo.ca yahoo.co.in yahoo.co.jp yahoo.co.uk yahoo.com.au yahoo.com.br "
        "yahoo.com.mx yahoo.de yahoo.es yahoo.fr yahoo.in yahoo.it ymail.com rocketmail.com "
        "aol.com aim.com netscape.net icloud.com me.com mac.com proton.me protonmail.com "
        "protonmail.ch pm.me tuta.com tuta.io tutamail.com tutanota.com tutanota.de keemail.me "
        "gmx.at gmx.ch gmx.co.uk gmx.com gmx.de gmx.es gmx.eu gmx.fr gmx.info gmx.li gmx.net "
        "gmx.org gmx.us mail.com email.com zoho.com zoho.eu zoho.in zohomail.com fastmail.com "
        "fastmail.fm hey.com hushmail.com mailfence.com posteo.de mailbox.org disroot.org "
        "riseup.net runbox.com startmail.com inbox.com lycos.com excite.com rediffmail.com",
        "portal with mailboxes": "qq.com foxmail.com 163.com 126.com yeah.net sina.com sina.cn "
        "sohu.com aliyun.com 139.com 189.cn 21cn.com tom.com naver.com daum.net hanmail.net "
        "nate.com docomo.ne.jp ezweb.ne.jp yandex.com yandex.ru ya.ru mail.ru bk.ru inbox.ru "
        "list.ru internet.ru rambler.ru ukr.net i.ua meta.ua abv.bg mail.bg seznam.cz email.cz "
        "centrum.cz azet.sk wp.pl o2.pl onet.pl interia.pl op.pl web.de freenet.de t-online.de "
        "arcor.de orange.fr wanadoo.fr laposte.net free.fr sfr.fr neuf.fr libero.it "
        "virgilio.it tiscali.it alice.it tin.it telenet.be skynet.be ziggo.nl kpnmail.nl "
        "xs4all.nl hetnet.nl bluewin.ch sapo.pt uol.com.br bol.com.br terra.com.br ig.com.br "
        "walla.co.il walla.com telkomsa.net mweb.co.za",
        "access provider with mailboxes": "comcast.net xfinity.com verizon.net att.net "
        "sbcglobal.net bellsouth.net cox.net charter.net spectrum.net rr.com roadrunner.com "
        "earthlink.net mindspring.com juno.com netzero.net optonline.net optimum.net "
        "frontier.com frontiernet.net centurylink.net centurytel.net embarqmail.com q.com "
        "windstream.net suddenlink.net mediacombb.net tds.net wowway.com hughes.net "
        "btinternet.com sky.com virginmedia.com ntlworld.com blueyonder.co.uk talktalk.net "
        "rogers.com shaw.ca sympatico.ca bell.net telus.net videotron.ca bigpond.com "
        "optusnet.com.au xtra.co.nz",
        "mail service of many tenants": "onmicrosoft.com protection.outlook.com "
        "mail.protection.outlook.com outlook.office365.com outlook.office.com office365.com "
        "bounces.google.com aspmx.l.google.com secureserver.net messagelabs.com mimecast.com "
        "pphosted.com iphmx.com ppe-hosted.com emailsrvr.com",
        "mail sender of many tenants": "sendgrid.net sendgrid.com amazonses.com mailgun.org "
        "mailgun.net mcsv.net mcdlv.net rsgsv.net mailchimpapp.net mandrillapp.com "
        "sparkpostmail.com sparkpostmail1.com mtasv.net postmarkapp.com constantcontact.com "
        "ccsend.com exacttarget.com mailjet.com sendinblue.com brevo.com hubspotemail.net "
        "mktomail.com sailthru.com e2ma.net cmail19.com cmail20.com createsend.com "
        "govdelivery.com",
        "shared storage and pages": "docs.google.com drive.google.com forms.google.com "
        "sites.google.com script.google.com storage.googleapis.com googleapis.com forms.gle "
        "googleusercontent.com firebasestorage.googleapis.com sharepoint.com 1drv.ms "
        "onedrive.live.com onedrive.com forms.office.com dropbox.com dl.dropboxusercontent.com "
        "dropboxusercontent.com box.com app.box.com github.com gist.github.com "
        "raw.githubusercontent.com githubusercontent.com gitlab.com bitbucket.org "
        "sourceforge.net amazonaws.com wetransfer.com we.tl mega.nz mega.io mediafire.com "
        "pastebin.com archive.org notion.so discord.com discordapp.com cdn.discordapp.com "
        "telegram.org t.me slack.com",
        "link shortener": "bit.ly bitly.com buff.ly cutt.ly goo.gl is.gd lnkd.in ow.ly rb.gy "
        "rebrand.ly s.id shorturl.at t.co t.ly tiny.cc tinyurl.com v.gd aka.ms",
    }
)

_TABLES: Final = (
    (BuiltinGroup.SPECIAL_PURPOSE, Scope.TREE, _SPECIAL_PURPOSE),
    (BuiltinGroup.DOCUMENTATION, Scope.TREE, _DOCUMENTATION),
    (BuiltinGroup.PUBLIC_RESOLVERS, Scope.TREE, _PUBLIC_RESOLVERS),
    (BuiltinGroup.MAIL_PROVIDERS, Scope.SHARED, _MAIL_PROVIDERS),
)
# Names that no name server of the Internet answers for (RFC 6761 and its like): to stop them breaks
# what finds hosts in other ways, to see them stops nobody and may tell much.
_WATCHED: Final = frozenset({"special-use name", "name for documentation and tests"})
# Kept in the project as text, each host with the document that says why.
_HOSTS: Final = (
    (BuiltinGroup.VITAL, "vital.txt"),
    (BuiltinGroup.SHARED_HOSTING, SHARED_HOSTING_FILE),
)


def builtin_rules(without: Collection[str]) -> Iterator[BuiltinRule]:
    """Yield the values of all built-in groups but some; suffixes and widths are rules in code."""
    for group, scope, table in _TABLES:
        if group not in without:
            for why, values in table.items():
                watched = why in _WATCHED
                yield from (
                    BuiltinRule(group, value, why, scope, watched) for value in values.split()
                )
    if BuiltinGroup.EMPTY_FILES not in without:
        for digest, why in trivial_digests():
            yield BuiltinRule(BuiltinGroup.EMPTY_FILES, digest, why)
    if BuiltinGroup.SYSTEM_FILES not in without:
        for system, names in SYSTEM_FILES.items():
            for name in names.split():
                value = f"{ObservableType.FILE_NAME}:{name}"
                yield BuiltinRule(BuiltinGroup.SYSTEM_FILES, value, f"file of {system}")
    for group, file in _HOSTS:
        if group not in without:
            yield from _of_hosts(group, file)


def _of_hosts(group: BuiltinGroup, file: str) -> Iterator[BuiltinRule]:
    """Yield the rules of kept hosts; shared networks are looked up beside the warninglists.

    There, a page is not protected by where it is: at an address that many share, it is one's own.
    """
    for host in kept_hosts(file):
        shared = group is BuiltinGroup.SHARED_HOSTING
        if not shared or not is_address(host.value.partition("/")[0]):
            yield BuiltinRule(group, host.value, host.why, host.scope, True, host.source)
