"""A real Postfix of our own: its own configuration, queue and ports, on loopback."""

import os
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")
RECIPIENT = "clerk@agency.test"
_STARTED_WITHIN_SECONDS = 300

_MAIN = """
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
maillog_file = {root}/mail.log
maillog_file_prefixes = {root}
myhostname = mx.agency.test
mynetworks = 127.0.0.0/8
mydestination =
inet_interfaces = loopback-only
inet_protocols = all
smtputf8_enable = yes
alias_maps =
alias_database =
local_recipient_maps =
relay_domains = agency.test
relay_transport = discard:
default_transport = discard:
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_sender_restrictions = check_sender_access lmdb:{maps}/senders
smtpd_client_restrictions = check_client_access lmdb:{maps}/clients
smtpd_client_connection_count_limit = 0
smtpd_recipient_restrictions =
"""
_MASTER = """
127.0.0.1:{default} inet n - n - - smtpd
127.0.0.1:{exact} inet n - n - - smtpd
  -o parent_domain_matches_subdomains=
127.0.0.1:{texts} inet n - n - - smtpd
  -o smtpd_sender_restrictions=
  -o smtpd_client_restrictions=check_client_access,cidr:{maps}/networks
  -o cleanup_service_name=checks
checks unix n - n - 0 cleanup
  -o header_checks=regexp:{maps}/headers
  -o body_checks=regexp:{maps}/bodies
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
retry unix - - n - - error
error unix - - n - - error
discard unix - - n - - discard
"""


_OWN_RESOLVER = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


def require_postfix() -> None:
    """Skip the test where there is no Postfix with lmdb, or no right to start one."""
    if shutil.which("postfix") is None:
        pytest.skip("no postfix: install the packages postfix and postfix-lmdb")
    if os.geteuid() != 0:
        pytest.skip("starting Postfix needs root")
    if "lmdb" not in asked("postconf", "-m").stdout.split():
        pytest.skip("this postfix has no lmdb maps: install the package postfix-lmdb")


def asked(program: str, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program of Postfix with a configuration of our own: it may have no other."""
    with tempfile.TemporaryDirectory(prefix="tfc-postfix-") as own:
        configure(Path(own) / "main.cf", "compatibility_level = 3.6\n")
        command = [program, "-c", own, *words]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=True)


@dataclass(frozen=True)
class PostfixHost:
    """Where it listens, and where it looks for its maps.

    At port `default` a domain stands for the names below it; at `exact` it does not. At `texts`
    it looks at the maps `networks`, `headers` and `bodies`.
    """

    maps: Path
    default: int
    exact: int
    texts: int
    config: Path

    def settled(self, ask: Callable[[], T], answer: T) -> T:
        """Ask until this is the answer: a process from before a reload may take one more client."""
        deadline = time.monotonic() + _STARTED_WITHIN_SECONDS
        while (found := ask()) != answer and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def sent(self, message: str, sender: str = "x@good.example") -> int:
        """Return the code of the answer to a whole message at `texts`."""
        with smtplib.SMTP("127.0.0.1", self.texts, timeout=300) as session:
            session.ehlo("client.example")
            session.mail(sender)
            session.rcpt(RECIPIENT)
            return session.data(message.replace("\n", "\r\n"))[0]

    def answer(
        self, sender: str, *, client: str | None = None, port: int | None = None
    ) -> tuple[int, str]:
        """Return code and words of the answer at RCPT, where every refusal shows."""
        with smtplib.SMTP("127.0.0.1", port or self.default, timeout=300) as session:
            session.ehlo("client.example")
            if client:
                address = f"IPV6:{client}" if ":" in client else client
                session.docmd("XCLIENT", f"ADDR={address} NAME=[UNAVAILABLE]")
                session.ehlo("client.example")
            utf8 = "" if sender.isascii() else " SMTPUTF8"
            session.send(f"MAIL FROM:<{sender}>{utf8}\r\n".encode())
            code, words = session.getreply()
            if code == 250:
                code, words = session.docmd("RCPT", f"TO:<{RECIPIENT}>")
            return code, words.decode()

    def code(self, sender: str, *, client: str | None = None, port: int | None = None) -> int:
        """Return the code of the answer at RCPT."""
        return self.answer(sender, client=client, port=port)[0]


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return ports


def configure(path: Path, text: str) -> None:
    """Write a file of its configuration as one of yesterday.

    Each program of Postfix reads a new one again and again until it is two seconds old.
    """
    path.write_text(text)
    os.utime(path, (time.time() - 86_400,) * 2)


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"


def _await_greeting(port: int, log: Path) -> None:
    deadline = time.monotonic() + _STARTED_WITHIN_SECONDS
    while time.monotonic() < deadline:
        try:
            with smtplib.SMTP("127.0.0.1", port, timeout=300):
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"Postfix did not start: {log.read_text() if log.exists() else 'no log'}")


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder where the user postfix may go, unlike pytest's own, and take it away."""
    made = Path(tempfile.mkdtemp(prefix="tfc-postfix-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made)


@contextmanager
def postfix(maps: Path, *, asks: str = "", by: str = "") -> Iterator[PostfixHost]:
    """Run a Postfix that refers to the maps `senders` and `clients` in a folder.

    With `asks` it has no maps but the restrictions `by`, and that address as its name server.
    """
    default, exact, texts = _free_ports(3)
    with folder() as root:
        for name in ("etc", "queue", "data"):
            (root / name).mkdir(mode=0o755)
        shutil.chown(root / "data", "postfix")
        main = _MAIN.format(root=root, maps=maps)
        if asks:
            main = "\n".join(line for line in main.splitlines() if "_access lmdb:" not in line)
            main = main.replace("smtpd_recipient_restrictions =", by)
            main += "\nmax_use = 1\n"  # a process keeps what a list answered as long as it lives
        configure(root / "etc/main.cf", main)
        (root / "resolv.conf").write_text(f"nameserver {asks}\n")
        ports = {"default": default, "exact": exact, "texts": texts}
        configure(root / "etc/master.cf", _MASTER.format(maps=maps, **ports))
        alone = ("unshare", "-m", "sh", "-c", _OWN_RESOLVER, str(root / "resolv.conf"))
        _run(*(alone if asks else ()), "postfix", "-c", str(root / "etc"), "start")
        try:
            for port in (default, exact):
                _await_greeting(port, root / "mail.log")
            yield PostfixHost(maps, default, exact, texts, root / "etc")
        finally:
            _run("postfix", "-c", str(root / "etc"), "stop")
