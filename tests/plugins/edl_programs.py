"""Real programs that load our files, each on loopback with a configuration of its own."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

OPEN = "203.0.113.1"  # what the resolver behind the one under test answers for every name
_STARTED_WITHIN_SECONDS = 120


def require(*programs: str) -> None:
    """Skip the test where one of the programs is missing."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"no {program}: .ci/run names the Debian package")


@contextmanager
def open_folder() -> Iterator[Path]:
    """Make a folder where users of services may go, unlike pytest's own, and take it away."""
    made = Path(tempfile.mkdtemp(prefix="tfc-edl-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@contextmanager
def running(log: Path, *command: str | Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in the foreground until it listens; end it afterwards."""
    with log.open("wb") as told:
        process = subprocess.Popen([str(word) for word in command], stdout=told, stderr=told)
    try:
        _await(process, port, log)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _STARTED_WITHIN_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                return
        except OSError:
            time.sleep(0.02)
    pytest.fail(f"{process.args} did not start: {log.read_text()}")


@contextmanager
def open_resolver() -> Iterator[int]:
    """Run a resolver that answers OPEN for every name; yield its port."""
    require("dnsmasq", "dig")
    with dnsmasq("--address=/#/" + OPEN) as port:
        yield port


@contextmanager
def dnsmasq(*options: str) -> Iterator[int]:
    """Run dnsmasq with these options; yield its port."""
    require("dnsmasq", "dig")
    port = free_port()
    with open_folder() as folder:
        command = (
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
            "--listen-address=127.0.0.1", "--bind-interfaces", f"--port={port}", "--pid-file=",
            "--log-facility=-", *options,
        )  # fmt: skip
        with running(folder / "log", *command, port=port):
            yield port


_UNBOUND = """
include-toplevel: {listed}
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
  module-config: "iterator"
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{behind}
"""


@contextmanager
def unbound(listed: Path, behind: int) -> Iterator[int]:
    """Run Unbound with our file, in front of another resolver; yield its port."""
    require("unbound", "unbound-checkconf")
    port = free_port()
    with open_folder() as folder:
        config = folder / "unbound.conf"
        config.write_text(_UNBOUND.format(listed=listed, port=port, folder=folder, behind=behind))
        checked("unbound-checkconf", config)
        with running(folder / "log", "unbound", "-d", "-c", config, port=port):
            yield port


def checked(*command: str | Path) -> str:
    """Run a program that tests a file; return what it said, or fail with that."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def answers(port: int, *names: str, kind: str = "A") -> dict[str, str]:
    """Return what a resolver answers for each name, by its status where it has no records."""
    told = {}
    for name in names:
        command = ["dig", "@127.0.0.1", "-p", str(port), "+time=20", "+noall", "+comments"]
        done = subprocess.run(
            [*command, "+answer", name, kind], capture_output=True, text=True, check=True
        )
        rows = [line.split() for line in done.stdout.splitlines() if not line.startswith(";")]
        records = [row[4] for row in rows if row[2:4] == ["IN", kind]]
        status = done.stdout.partition("status: ")[2].partition(",")[0]
        told[name] = " ".join(records) or status
    return told


_NGINX = """
pid {folder}/pid;
error_log {folder}/log;
daemon off;
master_process off;
events {{}}
http {{
  access_log off;
  map_hash_bucket_size 512;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  geo $arg_from $listed {{ default 0; include {addresses}; }}
  map $host $stopped {{ hostnames; default 0; include {names}; }}
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "$listed$stopped"; }} }}
}}
"""


@contextmanager
def nginx(addresses: Path, names: Path) -> Iterator[int]:
    """Run nginx, which says for `?from=ADDRESS` and a host whether they are listed."""
    require("nginx", "curl")
    port = free_port()
    with open_folder() as folder:
        config = folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=folder, port=port, addresses=addresses, names=names))
        checked("nginx", "-t", "-c", config)
        with running(folder / "out", "nginx", "-c", config, port=port):
            yield port


_SQUID = """
http_port 127.0.0.1:{port}
pid_filename {folder}/pid
access_log none
cache_log {folder}/cache.log
coredump_dir {folder}
cache deny all
shutdown_lifetime 0 seconds
hosts_file {folder}/hosts
dns_timeout 1 second
acl names dstdomain "{names}"
acl places dst "{addresses}"
http_access deny names
http_access deny places
http_access allow all
"""


@contextmanager
def squid(addresses: Path, names: Path, known: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Run Squid with our files; yield its port, and what it said when it parsed them.

    The known names are this machine, as nobody answers questions about them.
    """
    require("squid", "curl")
    port = free_port()
    with open_folder() as folder:
        shutil.chown(folder, "proxy")
        (folder / "hosts").write_text("".join(f"127.0.0.1 {name}\n" for name in known))
        config = folder / "squid.conf"
        config.write_text(_SQUID.format(folder=folder, port=port, addresses=addresses, names=names))
        said = checked("squid", "-k", "parse", "-f", config)
        with running(folder / "out", "squid", "-N", "-f", config, port=port):
            yield port, said


def fetched(*options: str) -> str:
    """Return what curl gets, without following any proxy of the environment."""
    clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    command = ["curl", "-sS", "--max-time", "60", *options]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=clean).stdout
