"""A real rsyslog and a real syslog-ng of our own on loopback, which parse what they receive."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

_WITHIN_SECONDS = 300


class SyslogHost(ABC):
    """A receiver with a port for each transport, which writes an object for each message."""

    def __init__(self, certificates: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="connector-syslog-", dir="/tmp"))
        self.certificates = certificates
        self.ports = {
            "udp": _free_port(socket.SOCK_DGRAM),
            "tcp": _free_port(),
            "tls": _free_port(),
        }
        self._file = self.folder / "received"
        self._read = 0
        self._process: subprocess.Popen[bytes] | None = None
        (self.folder / "config").write_text(self.config())

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """The program in the foreground, with its configuration."""

    @abstractmethod
    def config(self) -> str: ...

    def start(self) -> None:
        """Start it, and return when it listens."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        deadline = time.monotonic() + _WITHIN_SECONDS
        for port in (self.ports["tcp"], self.ports["tls"]):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    assert self._process.poll() is None, (self.folder / "log").read_text()
                    assert time.monotonic() < deadline, "it does not listen"
                    time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def received(self, count: int) -> list[dict[str, Any]]:
        """The messages since this was asked last, as soon as there are so many."""
        deadline = time.monotonic() + _WITHIN_SECONDS
        while True:
            text = self._file.read_text(encoding="utf-8") if self._file.exists() else ""
            lines = text[: text.rfind("\n") + 1].split("\n")[:-1][self._read :]
            if len(lines) >= count:
                self._read += len(lines)
                return [json.loads(line) for line in lines]
            assert time.monotonic() < deadline, f"{len(lines)} of {count} messages came"
            time.sleep(0.01)


class Rsyslog(SyslogHost):
    """An rsyslog that reads CEF with liblognorm, and JSON."""

    def command(self) -> Sequence[str | Path]:
        if (program := shutil.which("rsyslogd")) is None:
            pytest.skip("no rsyslog: install the packages rsyslog and rsyslog-gnutls")
        return program, "-n", "-f", self.folder / "config", "-i", self.folder / "pid"

    def config(self) -> str:
        ours = self.certificates
        (self.folder / "cef.rulebase").write_text("version=2\nrule=:%f:cef%\n")
        return f"""
global(workDirectory="{self.folder}" maxMessageSize="64k" net.enableDNS="off"
    defaultNetstreamDriverCAFile="{ours}/ca.pem"
    defaultNetstreamDriverCertFile="{ours}/server.pem"
    defaultNetstreamDriverKeyFile="{ours}/server.key")
module(load="imudp") module(load="imtcp") module(load="mmnormalize") module(load="mmjsonparse")
input(type="imudp" address="127.0.0.1" port="{self.ports["udp"]}")
input(type="imtcp" address="127.0.0.1" port="{self.ports["tcp"]}")
input(type="imtcp" address="127.0.0.1" port="{self.ports["tls"]}"
    streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
template(name="line" type="list" option.jsonf="on") {{
    property(outname="host" name="hostname" format="jsonf")
    property(outname="app" name="app-name" format="jsonf")
    property(outname="event" name="msgid" format="jsonf")
    property(outname="severity" name="syslogseverity" format="jsonf")
    property(outname="text" name="msg" format="jsonf")
    property(outname="parsed" name="$!" format="jsonf")
}}
if $msg startswith "CEF:" then action(type="mmnormalize" ruleBase="{self.folder}/cef.rulebase")
if $msg startswith "{{" then action(type="mmjsonparse" cookie="")
action(type="omfile" file="{self.folder}/received" template="line")
"""


class SyslogNg(SyslogHost):
    """A syslog-ng that reads LEEF with its parsers of columns and pairs, and JSON."""

    def command(self) -> Sequence[str | Path]:
        if not (program := os.environ.get("CONNECTOR_SYSLOG_NG", "")):
            pytest.skip("CONNECTOR_SYSLOG_NG names no syslog-ng; .ci/syslog-ng-root unpacks one")
        names = ("persist-file", "pidfile", "control")
        files = [word for name in names for word in (f"--{name}", self.folder / name)]
        return program, "-F", "--no-caps", "-f", self.folder / "config", *files

    def config(self) -> str:
        ours = self.certificates
        at = 'ip("127.0.0.1") port({})'
        return f"""@version: 3.38
options {{ keep-hostname(yes); use-dns(no); log-msg-size(65536); stats-freq(0); }};
source all {{
    syslog({at.format(self.ports["udp"])} transport("udp"));
    syslog({at.format(self.ports["tcp"])} transport("tcp"));
    syslog({at.format(self.ports["tls"])} transport("tls") tls(
        key-file("{ours}/server.key") cert-file("{ours}/server.pem") ca-file("{ours}/ca.pem")
        peer-verify(required-trusted)));
}};
parser leef {{
    csv-parser(columns("l.version", "l.vendor", "l.product", "l.release", "l.id", "l.tab", "l.all")
        delimiters("|") flags(greedy, drop-invalid) template("$MESSAGE"));
    kv-parser(prefix("parsed.") pair-separator("\\t") template("${{l.all}}"));
}};
parser json {{ json-parser(prefix("parsed.")); }};
destination all {{
    file("{self.folder}/received" flush-lines(1) template("$(format-json host=$HOST app=$PROGRAM
        event=$MSGID severity=$LEVEL_NUM text=$MESSAGE --key parsed.*)\\n"));
}};
log {{
    source(all);
    if (message("^LEEF:")) {{ parser(leef); }};
    if (message("^[{{]")) {{ parser(json); }};
    destination(all);
}};
"""


def _free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_certificates(folder: Path) -> Path:
    """Make an authority, a server at 127.0.0.1, a client, and a client of another authority."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    for authority, names in (("ca", ("server", "client")), ("other", ("stranger",))):
        subject = ("-keyout", f"{authority}.key", "-out", f"{authority}.pem")
        _openssl(folder, "req", "-x509", *key, "-subj", f"/CN={authority}", *subject)
        signed = ("-CA", f"{authority}.pem", "-CAkey", f"{authority}.key")
        for name in names:
            made = ("-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}")
            also = (
                "-addext",
                "subjectAltName=IP:127.0.0.1",
                "-addext",
                "basicConstraints=CA:FALSE",
            )
            _openssl(folder, "req", "-x509", *key, *signed, *made, *also)
    return folder


def _openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
