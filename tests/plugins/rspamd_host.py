"""A real Rspamd of our own on loopback, with the rules of docs/outputs/rspamd.md."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from edl_programs import free_port, require, running
from output_pages import PAGES

_WITHIN_SECONDS = 300
# What asks resolvers or other servers, and what costs much to start.
_WITHOUT = """
arc asn bayes_expiry bimi chartable dkim dkim_signing dmarc emails forged_recipients fuzzy_check
greylist hfilter maillist mid milter_headers mime_types mx_check neural once_received phishing
ratelimit rbl regexp replies reputation rspamd_update spf surbl trie url_redirector whitelist
worker-fuzzy worker-proxy
"""
_OPTIONS = """
url_tld = "{folder}/suffixes";
disable_hyperscan = true;
map_watch_interval = 0.5s;
map_file_watch_multiplier = 1;
"""
MESSAGE = """\
From: "Somebody" <{sender}>
To: clerk@agency.example
Subject: {subject}
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

see {url} now
--b
Content-Type: application/octet-stream
Content-Disposition: attachment; filename="{file}"
Content-Transfer-Encoding: base64

aGVsbG8=
--b--
"""


def block(language: str) -> str:
    """Return the one block of a language that the page has the administrator paste."""
    text = (PAGES / "rspamd.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return found


def pointed_at(rules: str, scheme: str) -> str:
    """Return rules as the page's command for a mode changes them."""
    text = (PAGES / "rspamd.md").read_text(encoding="utf-8")
    (expression,) = re.findall(rf"^# sed -i '(\S+{scheme}://\S+)'", text, re.MULTILINE)
    command = ["sed", expression]
    return subprocess.run(command, input=rules, text=True, capture_output=True, check=True).stdout


class RspamdHost:
    """An Rspamd that tells which of its rules a message meets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.maps = folder / "maps"
        self.etc = folder / "etc"
        self._port = free_port()
        names = {"CONFDIR": "etc", "LOCAL_CONFDIR": "etc", "DBDIR": "db", "RUNDIR": "db"}
        self._variables = [f"--var={name}={folder / place}" for name, place in names.items()]
        self._variables.append(f"--var=LOGDIR={folder / 'db'}")

    def prepare(self, rules: str) -> None:
        """Make its configuration: Debian's, with ours."""
        shutil.copytree("/etc/rspamd", self.etc)
        for place in ("maps", "db"):
            (self.folder / place).mkdir(mode=0o755)
        shutil.chown(self.folder / "db", "_rspamd")
        (self.folder / "suffixes").write_text("com\nexample\n")
        (self.etc / "rspamd.local.lua").write_text(block("lua"))
        (self.etc / "local.d" / "multimap.conf").write_text(rules)
        ours = self.etc / "override.d"
        for name in _WITHOUT.split():
            kind = "inc" if name.startswith("worker") else "conf"
            (ours / f"{name}.{kind}").write_text("enabled = false;\n")
        bound = 'bind_socket = "127.0.0.1:{}"; count = 1;\n'
        (ours / "worker-normal.inc").write_text(bound.format(self._port))
        (ours / "worker-controller.inc").write_text(bound.format(free_port()))
        (ours / "options.inc").write_text(_OPTIONS.format(folder=self.folder))

    def test_configuration(self) -> str:
        """Return what its own test says of the configuration."""
        command = ["rspamadm", *self._variables, "configtest", "-c", self.etc / "rspamd.conf"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    @contextmanager
    def started(self) -> Iterator[None]:
        """Run it, until it is no longer needed."""
        command = ["rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", *self._variables]
        config = self.etc / "rspamd.conf"
        with running(self.folder / "log", *command, "-c", config, port=self._port):
            yield

    def met(
        self,
        prefix: str,
        *,
        sender: str = "a@fine.example",
        client: str = "9.9.9.9",
        subject: str = "fine",
        url: str = "http://fine.com/",
        file: str = "fine.txt",
    ) -> dict[str, list[str]]:
        """Return the rules of this prefix that a message meets, each with what was found."""
        said = MESSAGE.format(sender=sender, subject=subject, url=url, file=file).encode()
        headers = {"From": sender, "IP": client, "Rcpt": "clerk@agency.example"}
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/checkv2", said, headers)
        with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310 - on loopback
            symbols = json.load(answer)["symbols"]
        return {
            name.removeprefix(prefix): sorted(found.get("options") or [])
            for name, found in symbols.items()
            if name.startswith(prefix)
        }

    def until(self, holds: Callable[[], object]) -> None:
        """Wait until Rspamd has seen a map."""
        deadline = time.monotonic() + _WITHIN_SECONDS
        while not holds():
            assert time.monotonic() < deadline, "Rspamd never saw it"
            time.sleep(0.05)


@contextmanager
def rspamd(rules: Callable[[RspamdHost], str]) -> Iterator[RspamdHost]:
    """Run an Rspamd with these rules, in a folder where its user may go."""
    require("rspamd", "rspamadm", "sed")
    if os.geteuid() != 0:
        pytest.skip("starting Rspamd as the user _rspamd needs root")
    folder = Path(tempfile.mkdtemp(prefix="tfc-rspamd-"))
    folder.chmod(0o755)
    host = RspamdHost(folder)
    try:
        host.prepare(rules(host))
        assert "syntax OK" in host.test_configuration()
        with host.started():
            yield host
    finally:
        shutil.rmtree(folder)
