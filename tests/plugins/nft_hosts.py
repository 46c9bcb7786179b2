"""A firewall between two other hosts, each a network namespace of this machine's kernel.

    outside 192.0.2.0/24 -- firewall -- 198.51.100.0/24 lan      (2001:db8::/64, 2001:db8:1::/64)

Neighbours are fixed and a test's datagrams leave from one processor, so that they arrive in the
order they were sent: a datagram that did not come before its successor was dropped.
"""

import os
import shutil
import socket
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeVar

import pytest
from connector_nftables.netlink import enter_namespace

T = TypeVar("T")

CLEAN = {
    "outside": {4: "192.0.2.3", 6: "2001:db8::3"},
    "firewall": {4: "192.0.2.1", 6: "2001:db8::1"},
    "lan": {4: "198.51.100.2", 6: "2001:db8:1::2"},
}
_ANY = {4: "", 6: "::"}
_OUTSIDE = ["192.0.2.2/24", "192.0.2.3/24", "192.0.2.200/24"]
_OUTSIDE += ["2001:db8::2/64", "2001:db8::3/64", "2001:db8::f:2/64"]
# interface of each host: the host, its peer, the addresses
_LINKS = (
    ("firewall", "out0", "02:00:00:00:00:01", ["192.0.2.1/24", "2001:db8::1/64"]),
    ("outside", "fw0", "02:00:00:00:00:02", _OUTSIDE),
    ("firewall", "lan0", "02:00:00:00:00:03", ["198.51.100.1/24", "2001:db8:1::1/64"]),
    ("lan", "fw0", "02:00:00:00:00:04", ["198.51.100.2/24", "2001:db8:1::2/64"]),
)
_ROUTES = (("outside", "192.0.2.1", "2001:db8::1"), ("lan", "198.51.100.1", "2001:db8:1::1"))


def require_nftables() -> None:
    """Skip the test where there is no nft command, no ip command, or no right to use them."""
    if missing := [name for name in ("nft", "ip") if shutil.which(name) is None]:
        pytest.skip(f"no {' and no '.join(missing)}: install the packages nftables and iproute2")
    if os.geteuid() != 0:
        pytest.skip("making network namespaces needs root")


def run(*words: str, text: str | None = None) -> str:
    """Run a command and return what it prints."""
    done = subprocess.run(words, input=text, text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout


def nft(netns: str, script: str) -> str:
    """Do what an administrator would do with nft in that namespace."""
    return run("ip", "netns", "exec", netns, "nft", "-f", "-", text=script)


@contextmanager
def namespace() -> Iterator[str]:
    """Make an empty network namespace, and take it away."""
    name = f"tfc-{uuid.uuid4().hex[:10]}"
    run("ip", "netns", "add", name)
    try:
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


@dataclass(frozen=True)
class Hosts:
    """The three hosts by name, and what gets through between them."""

    names: dict[str, str]

    @property
    def firewall(self) -> str:
        return self.names["firewall"]

    def passes(self, source: tuple[str, str], target: tuple[str, str], sport: int = 0) -> bool:
        """Send a datagram from one (host, address) to another; say whether it arrived."""
        version = ip_address(source[1]).version
        with (
            self._opened(target[0], _ANY[version]) as receiver,
            self._opened(source[0], source[1], sport) as sender,
            self._opened(source[0], CLEAN[source[0]][version]) as witness,
        ):
            port = receiver.getsockname()[1]
            receiver.settimeout(20)
            _send_in_order(
                [(sender, b"tested", target[1]), (witness, b"end", CLEAN[target[0]][version])], port
            )
            return receiver.recv(64) == b"tested"

    def _opened(self, host: str, address: str, port: int = 0) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET

        def make() -> socket.socket:
            opened = socket.socket(family, socket.SOCK_DGRAM)
            opened.bind((address, port))
            return opened

        return _in_namespace(self.names[host], make)


def _send_in_order(datagrams: list[tuple[socket.socket, bytes, str]], port: int) -> None:
    def send() -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        for opened, payload, address in datagrams:
            try:
                opened.sendto(payload, (address, port))
            except PermissionError:  # what a drop in the output hook looks like to the sender
                continue

    _in_thread(send)


def _in_namespace(name: str, make: Callable[[], T]) -> T:
    def enter_and_make() -> T:
        enter_namespace(name)
        return make()

    return _in_thread(enter_and_make)


def _in_thread(work: Callable[[], T]) -> T:
    results: list[T] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    return results[0]


@contextmanager
def hosts() -> Iterator[Hosts]:
    """Build the three hosts, and take them away."""
    with namespace() as outside, namespace() as firewall, namespace() as lan:
        names = {"outside": outside, "firewall": firewall, "lan": lan}
        for left, right in ((_LINKS[0], _LINKS[1]), (_LINKS[2], _LINKS[3])):
            _link(names, left, right)
        for host, v4, v6 in _ROUTES:
            run("ip", "-n", names[host], "route", "add", "default", "via", v4)
            run("ip", "-n", names[host], "-6", "route", "add", "default", "via", v6)
        for setting in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"):
            run("ip", "netns", "exec", firewall, "sysctl", "-qw", setting)
        yield Hosts(names)


def _link(names: dict[str, str], left: tuple, right: tuple) -> None:
    run(
        *("ip", "link", "add", left[1], "address", left[2], "netns", names[left[0]]),
        *("type", "veth", "peer", "name", right[1], "address", right[2], "netns", names[right[0]]),
    )
    for (host, device, _, addresses), (_, _, their_mac, theirs) in ((left, right), (right, left)):
        at = ("ip", "-n", names[host])
        for address in addresses:
            nodad = ["nodad"] if ":" in address else []
            run(*at, "address", "add", address, "dev", device, *nodad)
        run(*at, "link", "set", device, "up")
        run(*at, "link", "set", "lo", "up")
        for address in theirs:
            neighbour = address.partition("/")[0]
            words = ("neigh", "replace", neighbour, "lladdr", their_mac, "dev", device)
            run(*at, *words, "nud", "permanent")
