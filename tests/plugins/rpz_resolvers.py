"""Resolvers that load a zone file as their policy, each as docs/outputs/rpz.md has it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from dns_answers import Asked, program
from edl_programs import free_port, open_folder, running
from output_pages import blocks

ZONE_FILE = "/var/lib/connector/rpz.example.zone"

_UNBOUND = """
server:
  interface: 127.0.0.1
  port: {port}
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
remote-control:
  control-enable: yes
  control-interface: {folder}/control
  control-use-cert: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{behind}
"""
_RECURSOR = """
local-address=127.0.0.1
local-port={port}
socket-dir={folder}
config-dir={folder}
lua-config-file={folder}/rpz.lua
forward-zones-recurse=.=127.0.0.1:{behind}
dont-query=
dnssec=off
packetcache-servfail-ttl=1
threads=1
daemon=no
write-pid=no
"""
_KRESD = """
net.listen('127.0.0.1', {port}, {{ kind = 'dns' }})
cache.size = 10 * MB
trust_anchors.remove('.')
"""
_BEHIND = "policy.add(policy.all(policy.FORWARD('127.0.0.1@{behind}')))\n"


class Resolver(Asked):
    """A resolver with the command that has it load the zone; the command is empty if it watches."""

    def __init__(self, port: int, reload: tuple[str, ...] = ()) -> None:
        super().__init__(port)
        self.reload = reload


def _page(language: str, zone: Path, nth: int = 0) -> str:
    text = blocks("rpz.md", language)[nth]
    assert ZONE_FILE in text
    return text.replace(ZONE_FILE, str(zone))


@contextmanager
def unbound(zone: Path, behind: int) -> Iterator[Resolver]:
    """Run Unbound with the zone."""
    port = free_port()
    with open_folder() as folder:
        config = folder / "unbound.conf"
        words = {"port": port, "folder": folder, "behind": behind}
        config.write_text(_page("unbound", zone) + _UNBOUND.format(**words))
        command = (*program("unbound"), "-d", "-c", str(config))
        with running(folder / "log", *command, port=port):
            control = (*program("unbound-control"), "-c", str(config))
            yield Resolver(port, (*control, "auth_zone_reload", "rpz.example"))


@contextmanager
def recursor(zone: Path, behind: int) -> Iterator[Resolver]:
    """Run the PowerDNS Recursor with the zone."""
    port = free_port()
    with open_folder() as folder:
        (folder / "rpz.lua").write_text(_page("lua", zone))
        words = {"port": port, "folder": folder, "behind": behind}
        (folder / "recursor.conf").write_text(_RECURSOR.format(**words))
        command = (*program("pdns_recursor"), f"--config-dir={folder}")
        with running(folder / "log", *command, port=port):
            control = (*program("rec_control"), f"--socket-dir={folder}")
            yield Resolver(port, (*control, "reload-lua-config"))


@contextmanager
def knot(zone: Path, behind: int) -> Iterator[Resolver]:
    """Run Knot Resolver with the zone, which it watches."""
    port = free_port()
    with open_folder() as folder:
        words = {"port": port, "behind": behind}
        parts = (_KRESD, _page("lua", zone, 1).replace("{", "{{").replace("}", "}}"), _BEHIND)
        (folder / "kresd.conf").write_text("".join(parts).format(**words))
        command = (*program("kresd"), "-n", "-c", "kresd.conf", str(folder))
        with running(folder / "log", *command, port=port):
            yield Resolver(port)


RESOLVERS: dict[str, Callable[[Path, int], AbstractContextManager[Resolver]]] = {
    "unbound": unbound,
    "recursor": recursor,
    "knot": knot,
}
