"""Suricata loads our datasets and reputation, and alerts on what was listed and nothing else."""

import base64
import struct
import subprocess
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

import pytest
from edl_files import ADDRESSES, DOMAIN, SHA256, V4, V6, entries, published
from suricata_engine import suricata
from test_kinds import NAMED, as_read, unread

from connector.adapter import Entry, ObservableType
from connector.testing.samples.entries import hostile_values, sample_values

pytestmark = pytest.mark.real_server("suricata")

T = ObservableType
HOME = "172.31.255.1"


def packet(source: str, target: str, query: str = "") -> bytes:
    """Return an IP packet with a UDP datagram, which asks for a name where there is one."""
    labels = b"".join(bytes([len(one)]) + one.encode() for one in query.split(".") if one)
    body = b"x" * 8
    if query:
        body = b"\x00\x01\x01\x00\x00\x01" + bytes(6) + labels + b"\x00\x00\x01\x00\x01"
    datagram = struct.pack("!HHHH", 40000, 53 if query else 9, 8 + len(body), 0) + body
    first, second = ip_address(source), ip_address(target)
    if first.version == 6:
        head = struct.pack("!IHBB", 6 << 28, len(datagram), 17, 64)
    else:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), 1, 0, 64, 17, 0)
    return head + first.packed + second.packed + datagram


def capture(path: Path, packets: Iterable[bytes]) -> None:
    """Write packets as a file that sensors read: raw IP, one a second."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for second, one in enumerate(packets, start=1):
            file.write(struct.pack("<IIII", second, 0, len(one), len(one)) + one)


class Sensor:
    """A Suricata that reads captures with rules that ask our files."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.rules = folder, folder / "ours.rules"
        (folder / "categories").write_text("1,Listed,listed by us\n")
        for name in ("places", "sites", "hashes", "rep"):
            (folder / name).touch()

    def alerts(self, packets: Iterable[bytes]) -> list[tuple[str, str]]:
        """Return which rule alerted on which source."""
        where = self.folder
        rules = {
            1: "dns any any -> any any (dns.query; "
            f"dataset:isset,s,type string,load {where}/sites;",
            2: f"ip any any -> any any (ip.src; dataset:isset,p,type ip,load {where}/places;",
            3: f"http any any -> any any (file.data; to_sha256; "
            f"dataset:isset,h,type sha256,load {where}/hashes;",
            4: "ip any any -> any any (iprep:src,Listed,>,29;",
        }
        lines = [f'alert {rule} msg:"m"; sid:{number};)\n' for number, rule in rules.items()]
        self.rules.write_text("".join(lines))
        capture(where / "capture", packets)
        command = [suricata(), "-S", str(self.rules), "-r", str(where / "capture")]
        command += ["-l", str(where), "-k", "none", "--set", f"default-reputation-path={where}"]
        command += ["--set", f"reputation-categories-file={where}/categories"]
        command += ["--set", "reputation-files.0=rep", "--init-errors-fatal"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "E:" not in done.stdout + done.stderr, done.stdout + done.stderr
        told = (where / "fast.log").read_text().splitlines()
        (where / "fast.log").unlink()
        return [
            (line.split("[1:")[1][0], line.split("} ")[1].split(" ->")[0].rpartition(":")[0])
            for line in told
        ]


def put(folder: Path, file: str, kinds: list[str], listed: list[Entry], form: str) -> None:
    published(folder, listed, file=file, format=form, types=kinds)


@pytest.fixture
def sensor(tmp_path: Path) -> Sensor:
    suricata()
    return Sensor(tmp_path)


HOSTS = entries(V4, "192.0.2.7") + entries(V6, "2001:db8::7")
PLACES = entries(V4, "203.0.113.0/25", score=30) + entries(V6, "2001:db8:1::/64", score=127)
LISTED = [
    packet(HOME, "9.9.9.9", "bad.example"),
    packet("192.0.2.7", HOME),
    packet("2001:db8::7", "2001:db8:ffff::1"),
    packet("203.0.113.9", HOME),
    packet("2001:db8:1::5", "2001:db8:ffff::1"),
]
OTHERS = [
    packet(HOME, "9.9.9.9", "www.bad.example"),
    packet(HOME, "9.9.9.9", "xbad.example"),
    packet("192.0.2.8", HOME),
    packet("2001:db8::8", "2001:db8:ffff::1"),
    packet("203.0.113.200", HOME),
]


def test_suricata_alerts_on_what_is_listed_and_on_nothing_else(
    sensor: Sensor, tmp_path: Path
) -> None:
    put(tmp_path, "sites", ["domain-name"], entries(DOMAIN, "bad.example"), "suricata-dataset")
    put(tmp_path, "places", ADDRESSES, HOSTS, "suricata-dataset")
    put(tmp_path, "hashes", ["file-sha256"], entries(SHA256, "a" * 64), "suricata-dataset")
    put(tmp_path, "rep", ADDRESSES, PLACES, "suricata-iprep")
    found = sensor.alerts([*LISTED, *OTHERS])
    sources = {("1", HOME), ("2", "192.0.2.7"), ("4", "203.0.113.9")}
    assert sources <= set(found)
    assert len(found) == len(LISTED)


def test_suricata_is_silent_on_what_left_the_list(sensor: Sensor, tmp_path: Path) -> None:
    put(tmp_path, "sites", ["domain-name"], entries(DOMAIN, "other.example"), "suricata-dataset")
    put(tmp_path, "places", ADDRESSES, [], "suricata-dataset")
    put(tmp_path, "rep", ADDRESSES, [], "suricata-iprep")
    assert sensor.alerts([*LISTED, *OTHERS]) == []


def test_suricata_loads_hostile_values_and_takes_none_for_another(
    sensor: Sensor, tmp_path: Path
) -> None:
    texts = [*NAMED, *(value for kind in T for value in hostile_values(kind))]
    texts += [next(sample_values(kind)) for kind in T]
    found = [Entry(one) for one in sorted({*as_read(texts), *unread(texts)})]
    wide = {"0.0.0.0/0", "::/0"}
    for file, kinds in (
        ("sites", ["domain-name"]),
        ("places", ADDRESSES),
        ("hashes", ["file-sha256"]),
    ):
        of_kind = [one for one in found if one.type.value in kinds]
        put(tmp_path, file, kinds, of_kind, "suricata-dataset")
    places = [one for one in found if one.type in {V4, V6} and one.value not in wide]
    put(tmp_path, "rep", ADDRESSES, places, "suricata-iprep")
    innocent = [packet("198.51.100.200", HOME), packet("2001:db8:7::1", "2001:db8:ffff::1")]
    names = ("yahoo.com", "www.gov", "x.test")
    assert sensor.alerts([*innocent, *(packet(HOME, "9.9.9.9", name) for name in names)]) == []
    agents = published(
        tmp_path, [one for one in found if one.type is T.USER_AGENT],
        format="suricata-dataset", types=["user-agent"], file="agents",
    )[0]  # fmt: skip
    said = [base64.b64decode(line).decode() for line in agents.read_text().split()]
    assert set(said) <= {one.value for one in found}
