"""What a client gets of a DNS server on loopback, by `dig`."""

import os
import shutil
import subprocess
import time
from functools import cache
from socket import SOCK_DGRAM, socket

import pytest

_WITHIN_SECONDS = 300
_QUESTION = bytes.fromhex("1234 0100 0001 0000 0000 0000") + b"\x05start\x07example\0\0\1\0\1"


@cache
def program(name: str) -> tuple[str, ...]:
    """Return the command for a DNS server, that of this system or one unpacked beside it."""
    if (found := shutil.which(name)) is not None:
        return (found,)
    if beside := os.environ.get("CONNECTOR_DNS"):
        return (beside, name)
    pytest.skip(f"no {name}, and CONNECTOR_DNS names none; .ci/dns-root unpacks one")


class Asked:
    """A server that is asked on one port."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self.port, self.address = port, address

    def answers(self) -> bool:
        """Whether it answers anything at all by now."""
        with socket(type=SOCK_DGRAM) as one:
            one.settimeout(0.2)
            try:
                one.connect((self.address, self.port))
                one.send(_QUESTION)
                return bool(one.recv(512))
            except OSError:
                return False

    def ask(self, name: str, kind: str = "A") -> tuple[str, list[str]]:
        """Return the status and the data that `dig` gets; `none` where it gets no answer."""
        command = ["dig", f"@{self.address}", "-p", str(self.port), "+time=1", "+tries=1"]
        command += [name, kind]
        text = subprocess.run(command, check=False, capture_output=True, text=True).stdout
        status = text.partition("status: ")[2].partition(",")[0] or "none"
        answer = text.partition("ANSWER SECTION:\n")[2].partition("\n\n")[0]
        return status, [line.split()[-1] for line in answer.splitlines()]

    def until(self, name: str, status: str, data: list[str] | None = None, kind: str = "A") -> None:
        """Ask until the status is this one, and the data where some is given."""
        deadline = time.monotonic() + _WITHIN_SECONDS
        while (answer := self.ask(name, kind))[0] != status or data not in (None, answer[1]):
            assert time.monotonic() < deadline, answer
            time.sleep(0.02)
