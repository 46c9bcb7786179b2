"""Every format of a polled list by its name."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from connector_edl.checkpoint import CHECKPOINT
from connector_edl.devices import FORTIGATE, PANOS, PLAIN, SNORT
from connector_edl.dialect import Dialect
from connector_edl.fmc import FMC
from connector_edl.gateways import EXIM, SPAMASSASSIN
from connector_edl.proxies import NGINX, SQUID
from connector_edl.resolvers import DNSMASQ, HOSTS, UNBOUND
from connector_edl.sensors import SURICATA_DATASET, SURICATA_IPREP, ZEEK
from connector_edl.stix import STIX
from connector_edl.tables import CSV, JSONL


class Format(StrEnum):
    """Formats of a list that is polled."""

    PLAIN = "plain"
    PANOS = "panos"
    FORTIGATE = "fortigate"
    CHECKPOINT = "checkpoint"
    FMC = "fmc"
    HOSTS = "hosts"
    DNSMASQ = "dnsmasq"
    UNBOUND = "unbound"
    SQUID = "squid"
    NGINX = "nginx"
    SURICATA_DATASET = "suricata-dataset"
    SURICATA_IPREP = "suricata-iprep"
    ZEEK = "zeek"
    SNORT = "snort"
    SPAMASSASSIN = "spamassassin"
    EXIM = "exim"
    CSV = "csv"
    JSONL = "jsonl"
    STIX = "stix"


DIALECTS: Final[Mapping[Format, Dialect]] = {
    Format.PLAIN: PLAIN,
    Format.PANOS: PANOS,
    Format.FORTIGATE: FORTIGATE,
    Format.CHECKPOINT: CHECKPOINT,
    Format.FMC: FMC,
    Format.HOSTS: HOSTS,
    Format.DNSMASQ: DNSMASQ,
    Format.UNBOUND: UNBOUND,
    Format.SQUID: SQUID,
    Format.NGINX: NGINX,
    Format.SURICATA_DATASET: SURICATA_DATASET,
    Format.SURICATA_IPREP: SURICATA_IPREP,
    Format.ZEEK: ZEEK,
    Format.SNORT: SNORT,
    Format.SPAMASSASSIN: SPAMASSASSIN,
    Format.EXIM: EXIM,
    Format.CSV: CSV,
    Format.JSONL: JSONL,
    Format.STIX: STIX,
}
