"""A real Exim, unpacked beside this system: its own test of a session, without a port."""

import os
import re
import subprocess
from pathlib import Path

import pytest

_NOBODYS = "9.9.9.9"
_CONFIG = """
log_file_path = {folder}/%slog
spool_directory = {folder}/spool
primary_hostname = mx.agency.example
keep_environment =
smtputf8_advertise_hosts = {utf8}
smtp_accept_max_nonmail = 1000
acl_smtp_connect = clients
acl_smtp_mail = senders
begin acl
"""


class Exim:
    """Its test of a session, with the access lists `clients` and `senders`."""

    def __init__(self, folder: Path, acls: str, *, utf8: str = "") -> None:
        self.command = os.environ.get("CONNECTOR_EXIM", "")
        if not self.command:
            pytest.skip("CONNECTOR_EXIM names no Exim; .ci/exim-root unpacks one")
        self.config = folder / "exim.conf"
        self.config.write_text(_CONFIG.format(folder=folder, utf8=utf8) + acls)

    def _session(self, client: str, *lines: str) -> list[str]:
        command = [self.command, "-C", str(self.config), "-bh", client]
        said = "".join(f"{line}\r\n" for line in ("EHLO client.example", *lines, "QUIT"))
        done = subprocess.run(
            command, input=said.encode(), capture_output=True, check=False, timeout=120
        )
        return done.stdout.decode().splitlines()

    def refuses_client(self, client: str) -> bool:
        """Return whether a client is sent away; a broken file is neither yes nor no."""
        answers = [line for line in self._session(client) if re.match(r"[0-9]{3}", line)]
        assert re.match(r"220|550", answers[0]), answers
        return answers[0].startswith("550")

    def answers(self, *senders: str) -> dict[str, str]:
        """Return the answer to each sender."""
        parts = ((sender, "" if sender.isascii() else " SMTPUTF8") for sender in senders)
        commands = [
            part for sender, how in parts for part in (f"MAIL FROM:<{sender}>{how}", "RSET")
        ]
        told = [line for line in self._session(_NOBODYS, *commands) if line[3:4] == " "]
        answers = told[2:-1:2]  # after the greeting and the answer to EHLO, without those to RSET
        assert len(answers) == len(senders), told
        assert {answer[:3] for answer in answers} <= {"250", "550"}, told
        return dict(zip(senders, answers, strict=True))

    def refused(self, *senders: str) -> set[str]:
        """Return the senders that are refused."""
        told = self.answers(*senders)
        return {sender for sender, answer in told.items() if answer.startswith("550")}
