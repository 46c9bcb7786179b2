"""The daemon: outputs side by side, reload, signals, one instance, and what it serves."""

import json
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from firewall import FirewallAdapter
from scenario_site import FREED, Site, until
from stix_samples import indicator, write_bundle
from structlog.testing import capture_logs

from connector.adapter import RefusedError
from connector.daemon import daemon as daemons
from connector.daemon.daemon import Daemon
from connector.daemon.workers import Workers
from connector.errors import StoreError
from connector.service.build import build
from connector.service.farewell import open_left_places
from connector.service.service import Service
from connector.service.state import AlreadyRunningError, open_store
from connector.store import sqlite
from connector.testing.taxii.faults import Status
from connector.testing.taxii.server import TaxiiServer

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
WATCHED = (Path(__file__).parents[2] / "docs" / "running-as-a-service.md").read_text("utf-8")
CONNECTOR = [sys.executable, "-c", "from connector.commands.app import main; main()"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def two_firewalls(**options: Any) -> dict[str, Any]:
    outputs = {
        name: {"list": "perimeter", "adapter": "firewall", "options": {"device": name, **options}}
        for name in ("edge", "core")
    }
    return {"lists": {"perimeter": {}}, "outputs": outputs}


@contextmanager
def generation(service: Service) -> Iterator[Workers]:
    """The workers of a service, without the clock that drives them."""
    failed: list[BaseException] = []
    workers = Workers(service, failed.append)
    workers.start()
    try:
        yield workers
    finally:
        workers.stop()
    assert not failed


@contextmanager
def daemon(site: Site) -> Iterator[Daemon]:
    """The daemon in a thread of this process."""
    site.close()
    port = free_port()
    listen = {"listen": f"127.0.0.1:{port}"}
    site.edit(lambda config: config.update(server=config.get("server", {}) | listen))
    running = Daemon(site.config_path, site.registry, site.clock)
    thread = threading.Thread(target=running.run, args=[site.load()])
    thread.start()
    try:
        assert running.started.wait(30)
        yield running
    finally:
        running.end()
        thread.join(30)
    assert not thread.is_alive()


def test_an_output_that_hangs_delays_no_other(site: Site) -> None:
    site.configure(**two_firewalls())
    site.write("one.json", [indicator("a", ONE)])
    edge = site.rack["edge"]
    edge.gate = threading.Event()
    with generation(site.open()) as workers:
        until(lambda: edge.waiting.is_set() and site.at("core") == [ONE])
        for number, more in enumerate((TWO, THREE)):
            site.write(f"more-{number}.json", [indicator(more, more)])
            workers.feeds["files"].ask()
            until(lambda more=more: more in site.at("core"))
        assert site.at("edge") == []
        edge.gate.set()
        until(lambda: len(site.at("edge")) == 3)
    site.consistent(settled=False)
    site.open()
    site.change()
    assert site.at("edge") == site.at("core") == [ONE, TWO, THREE]
    site.consistent()


def test_a_renewed_certificate_is_taken_up_without_a_reload(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemons, "_FILES_EVERY_SECONDS", 0.5)
    pair = site.folder / "pair.pem"

    def renew() -> None:
        fresh, command = pair.with_suffix(".new"), ("openssl", "req", "-x509", "-newkey", "ec")
        options = ("-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=lists")
        files = ("-keyout", str(fresh), "-out", str(fresh.with_suffix(".crt")))
        subprocess.run([*command, *options, *files], check=True, capture_output=True)
        fresh.write_bytes(fresh.read_bytes() + fresh.with_suffix(".crt").read_bytes())
        fresh.rename(pair)

    renew()
    site.configure(server={"tls": {"certificate": {"file": "pair.pem"}}}, **two_firewalls())
    with capture_logs() as lines, daemon(site) as running:
        at = ("127.0.0.1", int(running.server.url.rpartition(":")[2]))
        assert running.server.url.startswith("https://")
        first = ssl.get_server_certificate(at)
        renew()
        until(lambda: ssl.get_server_certificate(at) != first)
        pair.write_text("half a file")
        until(lambda: any(line["event"] == "server.certificate_refused" for line in lines))
        assert ssl.get_server_certificate(at) != first
    events = [line["event"] for line in lines]
    assert (events.count("service.started"), "config.refused" in events) == (1, False)
    renew()
    assert "should be a certificate chain" in site.status()["server"]["certificate"]["problem"]


def test_an_output_that_hangs_delays_no_poll_and_no_answer(site: Site) -> None:
    site.configure(**two_firewalls())
    site.write("one.json", [indicator("a", ONE)])
    edge = site.rack["edge"]
    edge.gate = threading.Event()
    try:
        with daemon(site) as running:
            until(lambda: edge.waiting.is_set() and site.at("core") == [ONE])
            answer = requests.get(f"{running.server.url}/healthz", timeout=300)
            assert answer.status_code in (200, 503)
            edge.gate.set()
            until(lambda: site.at("edge") == [ONE])
    finally:
        edge.gate.set()


def test_the_end_waits_for_the_write_in_hand_and_no_longer(site: Site) -> None:
    site.configure(**two_firewalls(batch_size=2))
    site.write("one.json", [indicator(n, f"192.0.2.{n}") for n in range(1, 8)])
    reached, go_on = threading.Event(), threading.Event()

    def wait_in_first_batch(point: str) -> None:
        if point == "half added":
            reached.set()
            assert go_on.wait(30)

    edge = site.rack["edge"]
    edge.hook = wait_in_first_batch
    failed: list[BaseException] = []
    workers = Workers(site.open(), failed.append)
    workers.start()
    assert reached.wait(30)
    until(lambda: len(site.at("core")) == 7)
    ending = threading.Thread(target=workers.stop)
    ending.start()
    until(workers.service.outputs.applier.stopped)
    assert ending.is_alive()
    go_on.set()
    ending.join(30)
    assert not failed
    assert len(site.at("edge")) == 2
    site.consistent(settled=False)
    assert site.output("edge")["reasons"] == {"written": 2, "pending": 5}
    edge.hook = lambda _point: None
    site.open()
    site.change()
    assert len(site.at("edge")) == 7
    site.consistent()


def test_an_output_that_is_refused_pauses_until_reload_and_says_so(site: Site) -> None:
    site.configure(**two_firewalls())
    site.write("one.json", [indicator("a", ONE)])
    site.rack["edge"].fault = RefusedError("edge: 403, check the credentials")
    with daemon(site) as running:
        until(lambda: site.at("core") == [ONE])
        until(lambda: site_status(running, "edge")["state"] == "paused")
        assert "check the credentials" in site_status(running, "edge")["error"]
        site.rack["edge"].fault = None
        running.reload()
        until(lambda: site.at("edge") == [ONE])
        until(lambda: site_status(running, "edge")["state"] == "ok")


def test_a_refusal_that_ended_at_the_other_side_needs_no_reload(site: Site) -> None:
    site.configure(**two_firewalls())
    site.write("one.json", [indicator("a", ONE)])
    site.rack["edge"].fault = RefusedError("edge: 403, check the credentials")
    with generation(site.service) as workers:
        edge = workers.outputs["edge"]
        until(lambda: edge.resting)
        assert site.output("edge")["state"] == "paused"
        site.rack["edge"].fault = None
        edge.ask()
        assert not edge.asked
        edge.monotonic = lambda: time.monotonic() + 18 * 60 + 1
        edge.ask()
        until(lambda: site.at("edge") == [ONE])
        until(lambda: site.output("edge")["state"] == "ok")


def test_a_feed_that_refuses_us_is_paused_until_reload_and_says_so(
    site: Site, taxii: TaxiiServer, taxii_feed: Callable[[], dict[str, Any]]
) -> None:
    site.configure(feeds={"ais": taxii_feed()}, **two_firewalls())
    taxii.add_objects([indicator("a", ONE)])
    taxii.faults = [Status(code=401)]
    with daemon(site) as running:
        until(lambda: site_feed(running)["state"] == "paused")
        assert "401" in site_feed(running)["error"]
        taxii.faults = []
        running.reload()
        until(lambda: site.at("edge") == [ONE])
        until(lambda: site_feed(running)["state"] == "ok")


def test_a_server_that_asks_us_to_wait_is_not_asked_until_then(
    site: Site, taxii: TaxiiServer, taxii_feed: Callable[[], dict[str, Any]]
) -> None:
    site.configure(feeds={"ais": taxii_feed()}, **two_firewalls())
    taxii.add_objects([indicator("a", ONE)])
    taxii.faults = [Status(code=429, retry_after="1800")]
    with generation(site.service) as workers:
        feed = workers.feeds["ais"]
        until(lambda: feed.resting)
        assert "429 Too Many Requests" in (error := site.feed("ais")["error"])
        assert "retry after 1800 s" in error
        asked = len(taxii.requests)
        taxii.faults = []
        feed.ask()
        assert not feed.asked
        assert len(taxii.requests) == asked
        feed.monotonic = lambda: time.monotonic() + 1801
        site.clock.advance(seconds=1801)
        feed.ask()
        until(lambda: site.at("edge") == [ONE])


def test_who_is_refused_no_longer_goes_on_without_a_reload_and_says_so(
    site: Site, taxii: TaxiiServer, taxii_feed: Callable[[], dict[str, Any]]
) -> None:
    site.configure(feeds={"ais": taxii_feed()}, **two_firewalls())
    taxii.add_objects([indicator("a", ONE)])
    edge = site.rack["edge"]
    edge.fault = RefusedError("edge: 403, check the credentials")
    taxii.faults = [Status(code=401, times=1)]
    with capture_logs() as logged, generation(site.service) as workers:
        both = (workers.feeds["ais"], site.feed), (workers.outputs["edge"], site.output)
        for worker, told in both:
            name = worker.name.partition(" ")[2]
            until(lambda worker=worker: worker.resting)
            assert told(name)["state"] == "paused"
            edge.fault = None if told == site.output else edge.fault
            worker.ask()
            assert not worker.asked
            worker.monotonic = lambda: time.monotonic() + 18 * 60 + 1
            worker.ask()
            until(lambda told=told, name=name: told(name)["state"] == "ok")
        until(lambda: site.at("edge") == [ONE])
    said = [line["event"] for line in logged if line["event"].endswith((".paused", ".recovered"))]
    assert sorted(said) == ["feed.recovered", "output.recovered", "worker.paused", "worker.paused"]


def test_looking_at_the_status_lets_no_paused_output_go_on(site: Site) -> None:
    site.configure(**two_firewalls())
    site.write("one.json", [indicator("a", ONE)])
    site.rack["edge"].fault = RefusedError("edge: 403, check the credentials")
    with pytest.raises(RefusedError):
        site.change()
    site.open()  # as every command does
    assert site.output("edge")["state"] == "paused"


def test_a_state_that_is_named_anew_is_taken_up_at_a_restart_and_the_log_says_so(
    site: Site,
) -> None:
    site.configure(**two_firewalls())
    site.write("one.json", [indicator("a", ONE)])
    with capture_logs() as logged, daemon(site) as running:
        until(lambda: site.at("core") == [ONE])
        site.edit(lambda config: config.update(state={"url": "sqlite:///elsewhere.db"}))
        site.write("two.json", [indicator("b", TWO)])
        running.reload()
        until(lambda: site.at("core") == [ONE, TWO])
        [told] = [line for line in logged if line["event"] == "state.url_changed"]
    assert "until a restart" in told["what"]
    assert "connector.db" in told["kept"]
    assert not (site.folder / "elsewhere.db").exists()


def test_a_list_that_the_file_names_no_more_is_retired(site: Site) -> None:
    site.configure(**two_firewalls())
    site.edit(lambda config: config["lists"].update(spare={}))
    site.write("one.json", [indicator("a", ONE)])
    site.once()
    with daemon(site) as running:
        until(lambda: site.at("core") == [ONE])
        site.edit(lambda config: config["lists"].pop("spare"))
        with capture_logs() as logged:
            running.reload()
            until(lambda: any(line["event"] == "list.retired" for line in logged))
    site.open()
    site.change()
    site.consistent()
    with site.service.store.database.read() as transaction:
        sql = "SELECT count(DISTINCT list) FROM entries"
        assert transaction.one(sql) == 1


def site_status(running: Daemon, output: str) -> dict[str, Any]:
    assert running.server
    facts = requests.get(f"{running.server.url}/healthz", timeout=300).json()
    return next(part for part in facts["outputs"] if part["name"] == output)


def site_feed(running: Daemon) -> dict[str, Any]:
    assert running.server
    facts = requests.get(f"{running.server.url}/healthz", timeout=300).json()
    return next(iter(facts["feeds"]))


def test_after_a_start_an_output_is_unverified_until_its_target_was_read(site: Site) -> None:
    site.configure(**two_firewalls())
    site.write("one.json", [indicator("a", ONE)])
    site.change()
    assert site.output("edge")["state"] == "ok"
    edge = site.rack["edge"]
    edge.gate = threading.Event()
    try:
        with daemon(site) as running:
            until(edge.waiting.is_set)
            until(lambda: site_status(running, "core")["state"] == "ok")
            assert site_status(running, "edge")["state"] == "unverified"
            edge.gate.set()
            until(lambda: site_status(running, "edge")["state"] == "ok")
    finally:
        edge.gate.set()


def test_an_output_that_is_written_to_as_a_whole_is_not_called_unverified(site: Site) -> None:
    site.configure(**two_firewalls())
    site.write("one.json", [indicator("a", ONE)])
    site.once()
    site.write("two.json", [indicator("b", TWO)])
    states: list[str] = []
    site.rack["edge"].hook = lambda _point: states.append(site.output("edge")["state"])
    site.once()
    assert states
    assert set(states) == {"ok"}, "monitoring would ring at each full pass"


def test_a_target_that_lost_its_entries_while_nothing_ran_has_them_again_after_the_start(
    site: Site,
) -> None:
    site.configure(**two_firewalls())
    site.write("one.json", [indicator("a", ONE), indicator("b", TWO)])
    site.once()
    site.consistent()
    edge = site.rack["edge"]
    for observable in edge.entries():  # a kernel's ruleset is empty after a boot
        edge.take_by_hand(observable)
    with daemon(site):
        until(lambda: site.at("edge") == [ONE, TWO])


def status_of(url: str) -> int:
    try:
        return requests.get(url, timeout=300).status_code
    except requests.ConnectionError:  # between two configurations
        return 0


def test_the_old_file_of_an_output_that_moved_is_gone_after_the_reload(site: Site) -> None:
    edl = {"list": "perimeter", "adapter": "edl", "options": {"file": "old.txt"}}
    site.configure(outputs={"polled": edl})
    site.write("one.json", [indicator("a", ONE)])

    def move(config: dict[str, Any]) -> None:
        config["outputs"]["polled"]["options"]["file"] = "new.txt"
        config["server"]["abandoned"] = 410

    with daemon(site) as running:
        assert running.server
        lists = f"{running.server.url}/lists"
        until(lambda: status_of(f"{lists}/old.txt") == 200 and site.lines("old.txt") == [ONE])
        site.edit(move)
        running.reload()
        until(lambda: status_of(f"{lists}/new.txt") == 200)
        assert status_of(f"{lists}/old.txt") == 410
        until(lambda: site.lines("old.txt") == [])


def test_what_an_output_left_is_withdrawn_beside_a_running_service(site: Site) -> None:
    site.configure(**two_firewalls())
    site.write("one.json", [indicator("a", ONE)])
    with daemon(site) as running:
        until(lambda: site.at("core") == [ONE] and site.at("edge") == [ONE])
        site.edit(lambda config: config["outputs"].pop("core"))
        with open_left_places(site.load(), site.registry) as places:
            assert "still keeps this output" in places.withdraw("core", "ada", "").words
        assert site.at("core") == [ONE]
        running.reload()
        until(lambda: [one["output"] for one in running._status()["left_behind"]] == ["core"])
        with open_left_places(site.load(), site.registry) as places:
            assert places.withdraw("core", "ada", "").done
        assert site.at("core") == []
        assert site.at("edge") == [ONE]
        assert running._status()["left_behind"] == []


def test_a_bug_in_one_adapter_stops_no_other_output(site: Site) -> None:
    site.configure(**two_firewalls())
    site.write("one.json", [indicator("a", ONE)])

    def trip(_point: str) -> None:
        raise KeyError("a bug")

    site.rack["edge"].hook = trip
    with capture_logs() as logged, generation(site.open()):
        until(lambda: site.at("core") == [ONE])
        until(lambda: any(line["log_level"] == "error" for line in logged))
    assert site.output("edge")["state"] == "failing"
    assert "a bug" in site.output("edge")["error"]
    assert site.output("core")["state"] == "ok"
    site.consistent(settled=False)

    site.open()
    outcome = site.once()
    assert set(outcome.failures) == {"output edge"}
    assert set(outcome.applied) == {"core"}
    site.rack["edge"].hook = lambda _point: None
    assert not site.once().failures
    site.consistent()


def test_a_wrong_file_is_refused_and_a_right_one_taken_up(site: Site) -> None:
    site.configure(**two_firewalls())
    site.write("one.json", [indicator("a", ONE), indicator("b", "b.example")])
    with capture_logs() as logged, daemon(site) as running:
        until(lambda: len(site.at("core")) == 2)
        right = site.config_path.read_text(encoding="utf-8")

        def logs(event: str) -> list[Any]:
            return [line for line in logged if line["event"] == event]

        site.config_path.write_text(right.replace("list: perimeter", "list: perimetre"))
        running.reload()
        until(lambda: logs("config.refused"))
        problems = logs("config.refused")[0]["problems"]
        assert any("config.yaml" in problem and "perimetre" in problem for problem in problems)
        assert len(logs("service.started")) == 1
        assert len(site.at("core")) == 2
        site.config_path.write_text(right)
        select = {"types": ["ipv4-addr"]}
        site.edit(lambda config: config["lists"]["perimeter"].update(select=select))
        running.reload()
        until(lambda: site.at("core") == site.at("edge") == [ONE])
        assert len(logs("service.started")) == 2


def test_a_file_that_fails_only_when_it_is_taken_up_is_refused_as_well(site: Site) -> None:
    site.configure(**two_firewalls())
    site.write("one.json", [indicator("a", ONE)])
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        capture_logs() as logged,
        daemon(site) as running,
    ):
        until(lambda: site.at("core") == [ONE])
        served = running.server.url if running.server else ""
        server = {"listen": f"127.0.0.1:{taken.getsockname()[1]}"}
        site.edit(lambda config: config.update(server=server))
        running.reload()
        until(lambda: any(line["event"] == "config.refused" for line in logged))
        until(lambda: sum(line["event"] == "service.started" for line in logged) == 2)
        assert running.server
        assert running.server.url == served
        assert requests.get(f"{served}/healthz", timeout=300).status_code in (200, 503)


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a locked state be told at once, and a reload that met it be tried again soon."""
    quick = ["PRAGMA busy_timeout=20" if "busy" in each else each for each in sqlite._PRAGMAS]
    monkeypatch.setattr(sqlite, "_PRAGMAS", tuple(quick))
    monkeypatch.setattr("connector.daemon.daemon._AGAIN_SECONDS", 1)


@contextmanager
def locked(site: Site) -> Iterator[None]:
    """Another process keeps the state to itself for a while."""
    path = site.folder / "state" / "connector.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("PRAGMA busy_timeout=30000")
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_reload_that_meets_a_locked_state_leaves_the_running_configuration_in_force(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)
    site.configure(**two_firewalls())
    site.write("one.json", [indicator("a", ONE), indicator("b", "b.example")])
    with capture_logs() as logged, daemon(site) as running:
        until(lambda: len(site.at("core")) == 2)
        served = running.server
        assert served

        def logs(event: str) -> list[Any]:
            return [line for line in logged if line["event"] == event]

        with locked(site):
            select = {"types": ["ipv4-addr"]}
            site.edit(lambda config: config["lists"]["perimeter"].update(select=select))
            running.reload()
            until(lambda: logs("config.postponed"))
            assert "locked" in logs("config.postponed")[0]["why"]
            assert running.server is served
            assert requests.get(f"{served.url}/healthz", timeout=300).status_code in (200, 503)
        until(lambda: site.at("core") == site.at("edge") == [ONE])
        assert len(logs("service.started")) == 2, "tried again without being asked"


@pytest.mark.parametrize(
    ("where", "told"),
    [
        (FirewallAdapter.__init__, "config.refused"),  # the output's line, as check has it
        (build, "config.postponed"),
    ],
)
def test_a_bug_that_a_reload_meets_leaves_the_running_configuration_in_force(
    site: Site, monkeypatch: pytest.MonkeyPatch, where: Callable[..., object], told: str
) -> None:
    site.configure(**two_firewalls())
    site.write("one.json", [indicator("a", ONE)])
    with capture_logs() as logged, daemon(site) as running:
        until(lambda: site.at("core") == [ONE])
        served = running.server

        def trips(*_options: object) -> None:
            raise KeyError("a bug")

        if where is build:
            monkeypatch.setattr("connector.daemon.daemon.build", trips)
        else:
            monkeypatch.setattr(FirewallAdapter, "__init__", trips)
        running.reload()
        until(lambda: any(line["event"] == told for line in logged))
        assert running.server is served
        site.write("two.json", [indicator("b", TWO)])
        assert running._workers
        running._workers.feeds["files"].ask()
        until(lambda: site.at("core") == [ONE, TWO])


def test_a_port_that_is_taken_at_a_reload_while_the_state_is_locked_ends_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)
    site.configure(**two_firewalls())
    site.write("one.json", [indicator("a", ONE)])
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        capture_logs() as logged,
        daemon(site) as running,
        ExitStack() as until_unlocked,
    ):
        until(lambda: site.at("core") == [ONE])
        assert running.server
        served = running.server.url
        stop = Workers.stop

        def stops(workers: Workers) -> None:
            stop(workers)
            if not any(line["event"] == "service.waits" for line in logged):
                until_unlocked.enter_context(locked(site))

        monkeypatch.setattr(Workers, "stop", stops)
        server = {"listen": f"127.0.0.1:{taken.getsockname()[1]}"}
        site.edit(lambda config: config.update(server=server))
        running.reload()
        until(lambda: any(line["event"] == "service.waits" for line in logged))
        until_unlocked.close()
        until(lambda: sum(line["event"] == "service.started" for line in logged) == 2)
        assert running.server.url == served
        monkeypatch.undo()


def test_a_state_that_breaks_under_the_daemon_ends_it(site: Site) -> None:
    site.configure(**two_firewalls())
    site.write("one.json", [indicator("a", ONE)])
    site.once()
    site.close()
    with sqlite3.connect(site.folder / "state" / "connector.db") as other:
        other.execute("ALTER TABLE ledger RENAME TO gone")
    other.close()
    port = free_port()
    site.edit(lambda config: config.update(server={"listen": f"127.0.0.1:{port}"}))
    running = Daemon(site.config_path, site.registry, site.clock)
    with pytest.raises(StoreError, match="ledger"):
        running.run(site.load())
    assert site.at("core") == [ONE]


def test_a_state_that_is_removed_under_the_service_ends_it_and_the_lists_stay(site: Site) -> None:
    """What it wrote from then on would be lost with it, the ledger first of all."""
    site.configure(**two_firewalls())
    site.write("one.json", [indicator("a", ONE)])
    failed: list[BaseException] = []

    def runs(running: Daemon) -> None:
        try:
            running.run(site.load())
        except StoreError as error:
            failed.append(error)

    site.close()
    site.edit(lambda config: config.update(server={"listen": f"127.0.0.1:{free_port()}"}))
    running = Daemon(site.config_path, site.registry, site.clock)
    thread = threading.Thread(target=runs, args=[running])
    thread.start()
    until(lambda: site.at("core") == [ONE])
    for file in (site.folder / "state").iterdir():
        file.unlink()
    thread.join(30)
    assert not thread.is_alive()
    assert "removed or replaced while in use: restore it" in str(failed[0])
    assert site.at("core") == [ONE]


def test_a_second_instance_on_the_same_state_is_refused(site: Site) -> None:
    site.configure(**two_firewalls())
    with daemon(site), pytest.raises(AlreadyRunningError, match="stop it first"):
        open_store(site.load())


def test_a_port_that_is_taken_at_the_start_ends_it_so_that_it_is_started_again(
    installed: Path,
) -> None:
    port = int(installed.read_text().partition("127.0.0.1:")[2].partition('"')[0])
    with socket.create_server(("127.0.0.1", port)):
        ran = subprocess.run(
            [*CONNECTOR, "run", "-c", str(installed)], capture_output=True, text=True, timeout=300,
            check=False,
        )  # fmt: skip
    assert ran.returncode == 1  # with 2, for a wrong file, nobody would
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.fixture
def installed(site_folder: Path) -> Path:
    """A configuration that the installed command can run: a folder of bundles and a file."""
    site_folder.mkdir()
    write_bundle(site_folder / "bundles" / "one.json", [indicator("a", ONE), indicator("b", TWO)])
    config = site_folder / "config.yaml"
    config.write_text(
        f"""
version: 1
feeds:
  files: {{type: bundle, path: bundles/, unmarked_tlp: clear, every: 10s}}
allowlist: {{builtin: {{except: {FREED["builtin"]["except"]}}}}}
lists:
  perimeter: {{purpose: block}}
outputs:
  file: {{list: perimeter, adapter: edl, every: 10s, options: {{file: list.txt}}}}
server: {{listen: "127.0.0.1:{free_port()}"}}
log: {{format: json}}
"""
    )
    return config


@contextmanager
def started(
    config: Path, *, files: tuple[int, int] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """The daemon as a process of its own: itself, its address, and what it logs.

    `files` are the soft and the hard limit of files that it may have open.
    """
    command = [*CONNECTOR, "run", "-c", str(config)]
    if files is not None:
        command = ["prlimit", f"--nofile={files[0]}:{files[1]}", *command]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    logged: list[str] = []
    assert process.stderr
    reading = threading.Thread(target=lambda: logged.extend(iter(process.stderr.readline, "")))
    reading.start()
    try:
        until(lambda: any("service.started" in line for line in logged) or process.poll())
        assert process.poll() is None, "".join(logged)
        port = config.read_text().partition("127.0.0.1:")[2].partition('"')[0]
        yield process, f"http://127.0.0.1:{port}", logged
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(30)
        reading.join(30)
        process.stderr.close()


def listed(url: str) -> str:
    return requests.get(f"{url}/lists/list.txt", timeout=300).text


def test_the_daemon_serves_lists_health_and_metrics_and_obeys_signals(installed: Path) -> None:
    with started(installed) as (process, url, logged):
        until(lambda: listed(url) == f"{ONE}\n{TWO}\n")
        until(lambda: requests.get(f"{url}/healthz", timeout=300).status_code == 200)
        metrics = requests.get(f"{url}/metrics", timeout=300).text
        assert "connector_claims 2.0" in metrics
        assert 'connector_list_claims{list="perimeter",reason="wanted"} 2.0' in metrics
        told = {
            name.removesuffix("_created") for name in re.findall("^# TYPE ([a-z_]+)", metrics, re.M)
        }
        assert told == set(re.findall(r"`(connector_[a-z_]+)`", WATCHED)), "the page on watching it"

        second = subprocess.run(
            [*CONNECTOR, "run", "-c", str(installed)],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert second.returncode == 1
        assert "another connector is using" in second.stderr

        right = installed.read_text()
        installed.write_text(right.replace("purpose: block", "purpose: blok"))
        process.send_signal(signal.SIGHUP)
        until(lambda: any("config.refused" in line and "blok" in line for line in logged))
        assert listed(url) == f"{ONE}\n{TWO}\n"
        installed.write_text(right.replace("purpose: block", "purpose: block, rank_by: [newest]"))
        process.send_signal(signal.SIGHUP)
        until(lambda: sum("service.started" in line for line in logged) == 2)

        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    status = [*CONNECTOR, "status", "-c", str(installed), "--json"]
    (client,) = json.loads(subprocess.run(status, capture_output=True, check=False).stdout)[
        "clients"
    ]
    assert (client["name"], client["lists"][0]["file"]) == ("loopback", "list.txt")
    assert any("service.ended" in line for line in logged)
    assert not any("Traceback" in line for line in logged)


@pytest.mark.parametrize(
    "sends", [b"", b"GET /lists/list.txt HTTP/1.1\r\nHost: h\r\n"], ids=["idle", "half-requests"]
)
def test_hostile_connections_stop_no_feed_no_output_and_no_client(
    installed: Path, sends: bytes
) -> None:
    with ExitStack() as stack, started(installed, files=(100, 400)) as (process, url, logged):
        until(lambda: listed(url) == f"{ONE}\n{TWO}\n")
        port = int(url.rpartition(":")[2])
        for number in range(600):  # more than the files of the daemon, of many addresses
            source = (f"127.0.{1 + number // 200}.{1 + number % 200}", 0)
            hostile = stack.enter_context(
                socket.create_connection(("127.0.0.1", port), 20, source_address=source)
            )
            hostile.sendall(sends)
        write_bundle(installed.parent / "bundles" / "two.json", [indicator("c", THREE)])
        process.send_signal(signal.SIGHUP)
        until(lambda: sum("service.started" in line for line in logged) == 2)
        until(lambda: listed(url) == f"{ONE}\n{TWO}\n{THREE}\n")
        told = requests.get(f"{url}/healthz", timeout=10).json()
        assert told["server"]["max_connections"] == 100
        assert [feed["state"] for feed in told["feeds"]] == ["ok"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert not any("Traceback" in line or '"error"' in line for line in logged)
    assert len(logged) < 60


def test_a_daemon_killed_with_kill_9_starts_again_and_serves_the_same(installed: Path) -> None:
    with started(installed) as (process, url, _logged):
        until(lambda: listed(url) == f"{ONE}\n{TWO}\n")
        until(lambda: requests.get(f"{url}/healthz", timeout=300).status_code == 200)
        process.kill()
        assert process.wait(30) == -signal.SIGKILL
    with started(installed) as (process, url, _logged):
        assert listed(url) == f"{ONE}\n{TWO}\n"
        until(lambda: listed(url) == f"{ONE}\n{TWO}\n")
        until(lambda: requests.get(f"{url}/healthz", timeout=300).status_code == 200)
