"""304 for a hundred clients that ask at once, of our list server and of nginx in the same run."""

import select
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.rows import Row, hand_over
from benchmarks.scale import answered
from benchmarks.siege import beside

CLIENTS = 100
LIST = b"192.0.2.7\n" * 10_000
REQUEST = "GET /lists/list.txt HTTP/1.1\r\nHost: h\r\nIf-None-Match: {etag}\r\n\r\n"
NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error;
events {{ worker_connections 500; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{port}; location /lists/ {{ alias {folder}/; }} }}
}}
"""


def connected(port: int, context: ssl.SSLContext | None) -> socket.socket:
    """Connect a client, over TLS with a context."""
    client = socket.create_connection(("127.0.0.1", port))
    return client if context is None else context.wrap_socket(client, server_hostname="h")


def asked(
    port: int, etag: str, seconds: float, context: ssl.SSLContext | None = None
) -> tuple[float, float]:
    """Let all clients ask again and again; return answers a second, and the 99th percentile."""
    request = REQUEST.format(etag=etag).encode()
    poll, clients, sent = select.epoll(), {}, {}
    for _ in range(CLIENTS):
        client = connected(port, context)
        poll.register(client.fileno(), select.EPOLLIN)
        clients[client.fileno()] = client
    taken: list[float] = []
    began = time.perf_counter()
    for number, client in clients.items():
        sent[number] = time.perf_counter()
        client.send(request)
    while time.perf_counter() - began < seconds:
        for number, _event in poll.poll(1):
            answer = clients[number].recv(4096)
            assert answer.startswith(b"HTTP/1.1 304"), answer[:40]
            now = time.perf_counter()
            taken.append(now - sent[number])
            sent[number] = now
            clients[number].send(request)
    rate = len(taken) / (time.perf_counter() - began)
    for client in clients.values():
        client.close()
    return rate, sorted(taken)[len(taken) * 99 // 100]


def at_once(port: int, etag: str, rounds: int) -> float:
    """Let all clients ask once at the same moment, so often; return the 99th percentile."""
    request = REQUEST.format(etag=etag).encode()
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(CLIENTS)]
    poll = select.epoll()
    for client in clients:
        poll.register(client.fileno(), select.EPOLLIN)
    by_number = {client.fileno(): client for client in clients}
    taken: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        for client in clients:
            client.send(request)
        left = CLIENTS
        while left:
            for number, _event in poll.poll(1):
                by_number[number].recv(4096)
                taken.append(time.perf_counter() - began)
                left -= 1
        time.sleep(0.02)
    for client in clients:
        client.close()
    return sorted(taken)[len(taken) * 99 // 100]


def over_tls(folder: str, etag: str, seconds: float) -> tuple[float, float]:
    """Return the same over TLS, of a server with a certificate of its own."""
    pair = Path(folder, "pair.pem")
    command = (
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-days", "2", "-subj", "/CN=h", "-keyout", pair, "-out", f"{pair}.crt",
    )  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    with pair.open("ab") as file:
        file.write(Path(f"{pair}.crt").read_bytes())
    context = ssl.create_default_context(cafile=f"{pair}.crt")
    context.check_hostname = False
    with tempfile.TemporaryDirectory() as published:
        Path(published, "list.txt").write_bytes(LIST)
        with beside("serve", published, str(pair)) as url:
            port = urlsplit(url).port or 0
            with connected(port, context) as first:  # who asks first has it read
                first.sendall(REQUEST.format(etag=etag).encode())
                first.recv(4096)
            return asked(port, etag, seconds, context)


@contextmanager
def nginx(folder: str) -> Iterator[int | None]:
    """Run nginx on the same folder; yield its port, or None where there is none."""
    if shutil.which("nginx") is None:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = Path(folder, "nginx.conf")
    config.write_text(NGINX.format(folder=folder, port=port))
    with subprocess.Popen(["nginx", "-c", str(config)], stderr=subprocess.DEVNULL) as process:
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield port
        process.terminate()


def main(seconds: float) -> None:
    """Hand over how fast we answer, and how fast nginx does."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        Path(folder, "list.txt").write_bytes(LIST)
        with beside("serve", folder) as url, nginx(folder) as other:
            port = urlsplit(url).port or 0
            _taken, _status, etag = answered(url, "/lists/list.txt", {})
            rate, late = asked(port, etag, seconds)
            together = at_once(port, etag, int(20 * seconds))
            against = ""
            if other:
                _taken, _status, tag = answered(f"http://127.0.0.1:{other}", "/lists/list.txt", {})
                fast, _late = asked(other, tag, seconds)
                against = f", 1/{fast / rate:.1f} of nginx ({fast:,.0f}/s)"
        safely, later = over_tls(folder, etag, seconds)
    hand_over(
        [
            Row(
                f"304 over TLS for {CLIENTS} clients that ask without a pause",
                f"{safely:,.0f}/s, 99 % within {later * 1e3:.1f} ms", "",
            ),
            Row(
                f"304 for {CLIENTS} clients that ask without a pause",
                f"{rate:,.0f}/s, 99 % within {late * 1e3:.1f} ms{against}", "1/4 of nginx",
            ),
            Row(f"304 for {CLIENTS} clients that ask at the same moment",
                f"99 % within {together * 1e3:.1f} ms", "5 ms"),
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main(float(sys.argv[1]))
