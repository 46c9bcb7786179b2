import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import certifi
import pytest
from config_plugins import (
    GOLDEN,
    PagesFeed,
    PagesSettings,
    TextAdapter,
    TextSettings,
    registry,
)

from connector.adapter import ObservableType, OutputContext, SecretValue
from connector.config import Loaded, load, sitefiles
from connector.decisions.mapping import Facts
from connector.errors import ConfigError, UnavailableError
from connector.model import Audience, Observable, Purpose, Tlp
from connector.registry import Registry
from connector.reports.list_ages import age_words, list_ages

SMALLEST = """\
version: 1
feeds:
  isac: {type: pages, url: "https://taxii.example/"}
lists:
  perimeter: {}
outputs:
  edge: {list: perimeter, adapter: text, options: {file: edge.txt}}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of the configuration file, which is also where we are."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load_text(text: str, **environ: str) -> Loaded:
    Path("c.yaml").write_text(text, encoding="utf-8")
    return load(Path("c.yaml"), registry(), environ)


def problems(text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(text, **environ)
    return list(caught.value.problems)


def with_feed(keys: str) -> str:
    return SMALLEST.replace('taxii.example/"', f'taxii.example/", {keys}')


def with_list(keys: str) -> str:
    return SMALLEST.replace("perimeter: {}", f"perimeter: {{{keys}}}")


def with_output(keys: str) -> str:
    return SMALLEST.replace("adapter: text", f"adapter: text, {keys}")


def with_section(section: str) -> str:
    return f"{SMALLEST}{section}\n"


def test_all_that_is_wrong_is_reported_at_once_in_file_order(monkeypatch):
    monkeypatch.chdir(GOLDEN)
    with pytest.raises(ConfigError) as caught:
        load(Path("errors.yaml"), registry(), {})
    told = f"{caught.value}\n"
    golden = GOLDEN / "errors.txt"
    if os.environ.get("REWRITE_GOLDEN"):
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")
    lines = [int(line.split(":")[1]) for line in told.splitlines()]
    assert lines == sorted(lines)
    assert len(lines) > 40


def test_no_literal_secret_is_ever_printed():
    assert "hunter2" in (GOLDEN / "errors.yaml").read_text(encoding="utf-8")
    assert "hunter2" not in (GOLDEN / "errors.txt").read_text(encoding="utf-8")


def test_the_smallest_file_has_careful_defaults(folder):
    loaded = load_text(SMALLEST)
    feed, listed = loaded.config.feeds["isac"], loaded.config.lists["perimeter"]
    output = loaded.config.outputs["edge"]
    assert (feed.every, feed.unmarked_tlp) == (timedelta(minutes=5), Tlp.RED)
    assert (feed.default_confidence, feed.window) == (None, None)
    assert feed.max_age_of(ObservableType.URL) is None
    assert (listed.purpose, listed.audience) == (Purpose.BLOCK, Audience.OWN)
    assert (listed.select.feeds, listed.select.types) == (None, None)
    assert listed.rank_by == ("confidence", "newest")
    assert (output.every, output.verify_every) == (timedelta(minutes=5), timedelta(hours=6))
    assert (output.limits.max_remove_ratio, output.limits.max_add_ratio) == (0.3, 0.5)
    assert output.limits.max_entries is None
    assert loaded.config.audience_of("edge") is Audience.OWN
    assert loaded.config.types_of("edge") == frozenset(ObservableType)
    assert (loaded.config.server.host, loaded.config.server.port) == ("127.0.0.1", 8099)
    assert loaded.config.state.connection_url == f"sqlite:///{folder}/state/connector.db"
    assert loaded.config.publish_folder == folder / "published"
    assert (loaded.config.log.format, loaded.config.log.level) == ("console", "info")
    assert (loaded.site_rules, loaded.exceptions, loaded.warnings) == ((), (), ())


def test_options_are_validated_by_what_they_are_for(folder):
    loaded = load_text(SMALLEST)
    assert loaded.feeds["isac"] == PagesSettings(url="https://taxii.example/")
    assert loaded.outputs["edge"] == TextSettings(file=folder / "edge.txt")


def test_the_published_files_are_those_of_the_outputs_if_each_says_its_place(folder):
    text = SMALLEST.replace("type: pages", "type: taxii").replace("adapter: text", "adapter: edl")
    Path("c.yaml").write_text(text, encoding="utf-8")
    assert load(Path("c.yaml"), Registry.installed()).published_files == {"edge.txt"}
    assert load_text(SMALLEST).published_files is None


def test_a_common_key_that_a_feed_type_declares_too_goes_to_both(folder):
    loaded = load_text(with_feed("window: 47h"))
    options = loaded.feeds["isac"]
    assert isinstance(options, PagesSettings)
    assert options.window == loaded.config.feeds["isac"].window == timedelta(hours=47)


def test_an_age_bound_counts_for_its_type_then_for_files_then_for_all(folder):
    ages = "max_age: {file: 365d, file-md5: 7d, url: 1h, default: 90d}"
    feed = load_text(with_feed(ages)).config.feeds["isac"]
    assert feed.max_age_of(ObservableType.FILE_MD5) == timedelta(days=7)
    assert feed.max_age_of(ObservableType.FILE_NAME) == timedelta(days=365)
    assert feed.max_age_of(ObservableType.URL) == timedelta(hours=1)
    assert feed.max_age_of(ObservableType.MUTEX) == timedelta(days=90)
    one = load_text(with_feed("max_age: 2w")).config.feeds["isac"]
    assert {one.max_age_of(kind) for kind in ObservableType} == {timedelta(days=14)}


def test_a_list_cannot_ask_for_more_sources_than_it_takes_feeds(folder):
    text = with_list("select: {min_sources: 2}")
    words = "should be at most 1, the number of feeds of the list, is 2"
    assert problems(text) == [f"c.yaml:5: lists.perimeter.select.min_sources: {words}"]
    two = text.replace("feeds:\n", 'feeds:\n  ais: {type: pages, url: "https://ais.example/"}\n')
    assert load_text(two).config.lists["perimeter"].select.min_sources == 2
    both = two.replace("min_sources: 2", "feeds: [ais, ais], min_sources: 2")
    assert problems(both) == [f"c.yaml:6: lists.perimeter.select.min_sources: {words}"]


def test_caps_and_alarms_of_a_feed_are_bounded(folder):
    keys = "max_share: 1.2, max_confidence: 101, max_objects: 0, alarm: {twins: 2, grow: 1}"
    told = problems(with_feed(keys))
    paths = [line.split(": ")[1].removeprefix("feeds.isac.") for line in told]
    assert set(paths) == {
        "max_share", "max_confidence", "max_objects", "alarm.twins", "alarm.grow",
    }  # fmt: skip
    feed = load_text(with_feed("alarm: {growth: null, least: 10, span: 12h}")).config.feeds["isac"]
    alarm = feed.alarm
    assert (alarm.growth, alarm.twins, alarm.least) == (None, 0.5, 10)


def test_relative_paths_start_at_the_folder_of_the_file(tmp_path):
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc" / "c.yaml"
    file.write_text(with_section("publish_folder: out\nallowlist: {files: [a.txt, /dev/null/x]}"))
    with pytest.raises(ConfigError) as caught:
        load(file, registry(), {})
    assert list(caught.value.problems) == [
        f"{file}:9: allowlist.files[0]: {tmp_path}/etc/a.txt: No such file or directory",
        f"{file}:9: allowlist.files[1]: /dev/null/x: Not a directory",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "c.yaml:1: the file: should be a mapping with version, feeds, lists and outputs"),
        (
            "- a",
            "c.yaml:1: the file: should be a mapping with version, feeds, lists and outputs",
        ),
        (with_feed("every: 9s"), "feeds.isac.every: should be at least 10s, is 9s"),
        (with_feed("every: 8d"), "feeds.isac.every: should be at most 1w, is 8d"),
        (
            with_feed("every: 5"),
            "feeds.isac.every: should be a whole number with its unit, such as 30s, 15m, 6h, 90d "
            "or 2w, is 5",
        ),
        (with_feed("window: 5201w"), "feeds.isac.window: should be at most 5200w, is 5201w"),
        (
            with_feed("window: 999999999w"),
            "feeds.isac.window: should be at most 5200w, is 999999999w",
        ),
        (
            with_feed("unmarked_tlp: yellow"),
            "feeds.isac.unmarked_tlp: should be clear, green, amber, amber+strict or red, "
            "is yellow",
        ),
        (
            with_feed("default_confidence: -1"),
            "feeds.isac.default_confidence: should be at least 0, is -1",
        ),
        (with_feed("page_size: 1.5"), "feeds.isac.page_size: should be a whole number, is 1.5"),
        (with_feed("verify: 1"), "feeds.isac.verify: should be true or false, is 1"),
        (
            with_feed("max_age: {}, colections: [a]"),
            "feeds.isac.colections: is not an option of the pages feed (collections, auth, ca, "
            "proxy, connect_timeout, read_timeout, rate, max_body_mib, ...)",
        ),
        (
            with_feed("auth: hunter2"),
            "feeds.isac.auth: should be a mapping, is text",
        ),
        (
            with_feed("auth: {token: {environment: X}}"),
            "feeds.isac.auth.token: should be a reference to a secret: {env: NAME}, {file: path} "
            "or {credential: name}; a literal secret is refused",
        ),
        (
            with_feed("proxy: ftp://user:pw@proxy.example"),
            "feeds.isac.proxy: should begin with https:// or http:// and a host, "
            "is ftp://***@proxy.example",
        ),
        (
            with_feed("proxy: 'http://user:pw@proxy.example:3128'"),
            "feeds.isac.proxy: contains a literal secret: remove user and password from the URL",
        ),
        (
            with_list("select: {min_confidence: hihg}"),
            "lists.perimeter.select.min_confidence: should be a whole number from 0 to 100 or one "
            "of high, low, medium, unlikely, "
            "even, likely, highly-likely, certain, is hihg",
        ),
        (
            with_list("purpose: 5"),
            "lists.perimeter.purpose: should be block or watch, is 5",
        ),
        (
            with_list("select: {types: []}"),
            "lists.perimeter.select.types: should have at least 1 value",
        ),
        (
            with_list("select: {context: {actor: [KP]}}"),
            "lists.perimeter.select.context.actor: is not a known key (sector, country, "
            "threat_actor, malware, campaign, report, producer_country)",
        ),
        (
            with_list("rank_by: [oldest]"),
            "lists.perimeter.rank_by[0]: should be confidence or newest, is oldest",
        ),
        (
            with_output("limits: {max_remove_ratio: 20}"),
            "outputs.edge.limits.max_remove_ratio: should be at most 1, is 20",
        ),
        (
            with_output("limits: {max_remove_ratio: lots}"),
            "outputs.edge.limits.max_remove_ratio: should be a number, is the text lots",
        ),
        (
            with_output("limits: {}, every: 1h, verify_every: 30m"),
            "outputs.edge.verify_every: should be at least 1h, as `every` is, is 30m",
        ),
        (
            with_output("types: [url]"),
            "outputs.edge.types: the text adapter cannot hold any of the types to write (url); "
            "it holds ipv4-addr, ipv6-addr",
        ),
        (
            with_list("select: {types: [ipv4-addr]}").replace(
                "edge: {", "edge: {types: [ipv6-addr], "
            ),
            "outputs.edge.types[0]: ipv6-addr is not among the types of the list perimeter "
            "(ipv4-addr)",
        ),
        (
            with_feed("either: {a: 1}"),
            "feeds.isac.either: should be a whole number or text, is a mapping",
        ),
        (
            with_feed("odd: 3"),
            "feeds.isac.odd: should be a multiple of 2, is 3",
        ),
        (
            with_output("audience: operator"),
            "outputs.edge.audience: should not be wider than its list's, own, is operator",
        ),
        (
            with_output("mapping: {comments: {default: x}}"),
            "outputs.edge.mapping.comments: is not a field of the text adapter (comment, severity)",
        ),
        (
            with_output("mapping: {comment: {from: valu}}"),
            "outputs.edge.mapping.comment.from: valu is not an input: did you mean value? Inputs "
            "are confidence, context.campaign, context.country, context.malware, "
            "context.report, context.sector, context.threat_actor, feed.name, "
            "indicator.confidence, indicator.created_by, "
            "indicator.id, indicator.labels, indicator.modified, indicator.name, "
            "indicator.type, list.name, marking, output.name, producer.name, type, valid_from, "
            "valid_from_epoch, valid_until, valid_until_epoch, value",
        ),
        (
            with_output("mapping: {comment: {template: '{value:>5}'}}"),
            "outputs.edge.mapping.comment.template: should just be {value}: templates have no "
            "formatting, is {value:>5}",
        ),
        (
            with_output("mapping: {severity: {from: confidence, step: {low: 0}}}"),
            "outputs.edge.mapping.severity.step: is not a known key (steps, from, template, "
            "values, default)",
        ),
        (
            with_output("mapping: {severity: {from: confidence, steps: {low: '0'}}}"),
            "outputs.edge.mapping.severity.steps.low: should be a number, is the text 0",
        ),
        (
            with_output("options2: {}"),
            "outputs.edge.options2: is not a known key (options, list, adapter, every, "
            "verify_every, audience, types, limits, ...)",
        ),
        (
            with_section("server: {listen: 0.0.0.0:8099}"),
            "server: listens beyond this machine at 0.0.0.0:8099, so it needs clients: give each "
            "a name and a token, address or certificate",
        ),
        (
            with_section("server: {listen: 'localhost:99999'}"),
            "server.listen: should be host:port, such as 127.0.0.1:8099 or [::1]:8099, is "
            "localhost:99999",
        ),
        (
            with_section("state: {url: mysql://db.example/x}"),
            "state.url: should be sqlite:///PATH or postgresql+psycopg://USER@HOST/DATABASE, is "
            "mysql://db.example/x",
        ),
        (
            with_section("state: {url: 'postgresql+psycopg://[x/db'}"),
            "state.url: should be sqlite:///PATH or postgresql+psycopg://USER@HOST/DATABASE, is "
            "postgresql+psycopg://[x/db",
        ),
        (
            with_section("state: {url: 'postgresql+psycopg://svc:hunter2@db.example/x'}"),
            "state.url: contains a literal secret: remove it and set state.password instead",
        ),
        (
            with_section("state: {url: 'sqlite:///:memory:'}"),
            "state.url: should name a file: the ledger must survive a restart, is "
            "sqlite:///:memory:",
        ),
        (
            with_section("allowlist: {warninglists: [rfc1918, rfc1981]}"),
            "allowlist.warninglists[1]: rfc1981 is not an installed warninglist (rfc1918, rfc6598)",
        ),
        (
            with_section("allowlist: {exceptions: [{value: 203.0.113.7/24, why: x}]}"),
            "allowlist.exceptions[0].value: has bits set beyond its prefix: write "
            "203.0.113.0/24, or just 203.0.113.7",
        ),
        (
            with_section("allowlist: {exceptions: [{value: a.example, why: ''}]}"),
            "allowlist.exceptions[0].why: should have at least 1 character, is empty text",
        ),
        (
            with_section("allowlist: {exceptions: {value: a.example}}"),
            "allowlist.exceptions: should be a list such as [a, b], is a mapping",
        ),
        (
            with_section("log: {level: loud}"),
            "log.level: should be debug, info, warning or error, is loud",
        ),
        (
            SMALLEST.replace("version: 1\n", ""),
            "version: is missing",
        ),
        (
            SMALLEST.replace("type: pages, ", ""),
            "feeds.isac.type: is missing",
        ),
        (
            SMALLEST.replace("file: edge.txt", ""),
            "outputs.edge.options.file: is missing",
        ),
        (
            SMALLEST.replace(", options: {file: edge.txt}", ""),
            "outputs.edge.options.file: is missing",
        ),
        (
            SMALLEST.replace("{file: edge.txt}", "edge.txt"),
            "outputs.edge.options: should be a mapping, is text",
        ),
        (
            SMALLEST.replace("list: perimeter,", "list: perimetr,"),
            "outputs.edge.list: perimetr is not a list of this file (perimeter)",
        ),
        (
            SMALLEST.replace("adapter: text", "adapter: txet"),
            "outputs.edge.adapter: txet is not an installed adapter (text, addresses, remote)",
        ),
        (
            SMALLEST.replace("adapter: text", "adapter: 7"),
            "outputs.edge.adapter: should be text, is 7: put it in quotes",
        ),
        (
            SMALLEST.replace("edge: {", "Edge!: {"),
            "outputs.Edge!: should be at most 63 lower-case letters, digits, - and _, is Edge!",
        ),
        (
            SMALLEST.replace("perimeter: {}", "perimeter: [block]"),
            "lists.perimeter: should be a mapping, is a list",
        ),
    ],
)
def test_one_mistake_is_one_sentence_with_its_line(folder, text, message):
    told = problems(text)
    assert len(told) == 1
    assert told[0].partition(": ")[2] == message or told[0] == message


def test_a_missing_section_is_reported_with_the_others(folder):
    assert problems("version: 1") == [
        "c.yaml:1: feeds: is missing",
        "c.yaml:1: lists: is missing",
        "c.yaml:1: outputs: is missing",
    ]


def test_sections_may_be_empty_when_that_is_written(folder):
    assert load_text("{version: 1, feeds: {}, lists: {}, outputs: {}}").outputs == {}


def test_a_file_that_is_not_there_or_not_text_is_one_sentence(folder):
    with pytest.raises(ConfigError) as caught:
        load(Path("none.yaml"), registry(), {})
    assert str(caught.value) == (
        "none.yaml: no such file: name the file with -c FILE or in CONNECTOR_CONFIG"
    )
    with pytest.raises(ConfigError, match=r"\.: cannot be read: Is a directory"):
        load(Path(), registry(), {})
    Path("c.yaml").write_bytes(b"version: 1\n\xff\xfe")
    with pytest.raises(ConfigError, match=r"c\.yaml:2: the file: is not UTF-8 text"):
        load(Path("c.yaml"), registry(), {})


def test_two_outputs_at_one_place_are_refused_with_the_line_of_the_first(folder):
    other = "  twin: {list: perimeter, adapter: text, options: {file: ./edge.txt}}\n"
    assert problems(SMALLEST + other) == [
        "c.yaml:8: outputs.twin.options: point to the same place as outputs.edge on line 7: two "
        "outputs cannot keep a list in one place; give each its own"
    ]


def test_a_fault_in_one_key_hides_no_contradiction_of_another(folder):
    told = problems(with_output("every: 1s, audience: public, mapping: {x: {default: a}}"))
    assert [line.split(": ")[1] for line in told] == [
        "outputs.edge.every",
        "outputs.edge.audience",
        "outputs.edge.mapping.x",
    ]


def test_site_files_give_rules_with_their_lines(folder):
    Path("allow.txt").write_text("\ufeff# ours\n203.0.113.0/24 # data centre\n\nstate.example\n")
    loaded = load_text(with_section("allowlist: {files: [allow.txt]}"))
    assert [(rule.value, rule.source, rule.why) for rule in loaded.site_rules] == [
        ("203.0.113.0/24", "allow.txt:2", "data centre"),
        ("state.example", "allow.txt:4", ""),
    ]


def test_bad_lines_of_site_files_are_reported_beside_the_rest(folder):
    Path("allow.txt").write_text("ok.example\n" + "203.0.113.0/33\n" * 25)
    told = problems(with_section("allowlist: {files: [allow.txt]}\ncolour: red"))
    assert told[0].startswith("c.yaml:9: colour: is not a known key")
    assert told[1].startswith("allow.txt:2: 203.0.113.0/33: should be an address or a prefix")
    assert (len(told), told[-1]) == (22, "allow.txt: and 5 more lines")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"#" * (sitefiles.MAX_BYTES + 1), "allow.txt: is larger than 64 MiB"),
        (b"ok.example\n\xff\n", "allow.txt: is not UTF-8 text on line 2"),
        (None, "allow.txt: is not a regular file"),
    ],
)
def test_a_site_file_that_cannot_be_read_is_refused(folder, content, message):
    if content is None:
        Path("allow.txt").mkdir()
    else:
        Path("allow.txt").write_bytes(content)
    told = problems(with_section("allowlist: {files: [allow.txt]}"))
    assert told == [f"c.yaml:8: allowlist.files[0]: {message}"]


def test_an_exception_holds_through_its_last_day(folder):
    exception = "{value: 203.0.113.0/24, why: data centre, ticket: NET-1, until: 2027-06-30}"
    loaded = load_text(with_section(f"allowlist: {{exceptions: [{exception}]}}"))
    assert loaded.exceptions[0].until == datetime(2027, 7, 1, tzinfo=UTC)
    assert (loaded.exceptions[0].ticket, loaded.exceptions[0].why) == ("NET-1", "data centre")


def test_the_allowlist_is_made_of_all_that_the_file_adds(folder):
    Path("allow.txt").write_text("agency.example\n")
    exception = "{value: bad.example, why: ours, until: 2027-06-30}"
    loaded = load_text(
        with_section(
            f"allowlist: {{builtin: {{except: [documentation]}}, files: [allow.txt], "
            f"exceptions: [{exception}]}}"
        )
    )
    allowlist = loaded.make_allowlist()
    now = datetime(2027, 6, 30, 23, 59, tzinfo=UTC)
    for name in ("www.agency.example", "bad.example", "taxii.example"):
        assert allowlist.protects(Observable(ObservableType.DOMAIN_NAME, name), now)
    bad = Observable(ObservableType.DOMAIN_NAME, "bad.example")
    assert not allowlist.protects(bad, datetime(2027, 7, 1, tzinfo=UTC))


def own_list(folder: Path, name: str, version: object, *entries: str) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    said = {"type": "string", "version": version, "list": entries}
    text = json.dumps({**said, "matching_attributes": ["domain"]})
    (folder / name / "list.json").write_text(text, encoding="utf-8")


def test_newer_copies_of_warninglists_are_used_in_place_of_those_installed(folder):
    own_list(folder / "lists", "google", 20990101, "newer.bad-host.com")
    own_list(folder / "lists", "ours", 1, "ours.bad-host.com")
    loaded = load_text(
        with_section("allowlist: {warninglists: [google, ours], warninglist_folder: lists}")
    )
    assert loaded.warnings == ()
    assert loaded.files >= {folder / "lists", folder / "lists" / "google" / "list.json"}
    allowlist, now = loaded.make_allowlist(), datetime(2026, 11, 1, tzinfo=UTC)
    for name in ("newer.bad-host.com", "ours.bad-host.com"):
        assert allowlist.protects(Observable(ObservableType.DOMAIN_NAME, name), now)
    assert not allowlist.protects(Observable(ObservableType.DOMAIN_NAME, "google.ad"), now)
    found = list_ages(loaded.warninglists, date(2099, 1, 11))
    told = {one["name"]: (one["version"], one["dated"], one["age_days"]) for one in found}
    assert told["google"] == (20990101, "2099-01-01", 10)
    assert told["ours"] == (1, None, None)
    assert age_words(found) == (
        "warninglists: 4 in force, 2 of them newer copies; the oldest: "
        "fastly 27292 days, cloudflare 26682 days, google 10 days"
    )


def test_a_copy_that_begins_with_a_byte_order_mark_is_read(folder):
    own_list(folder / "lists", "ours", 1, "ours.bad-host.com")
    path = folder / "lists" / "ours" / "list.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    loaded = load_text(with_section("allowlist: {warninglists: [ours], warninglist_folder: lists}"))
    assert loaded.warnings == ()
    protects, now = loaded.make_allowlist().protects, datetime(2026, 11, 1, tzinfo=UTC)
    assert protects(Observable(ObservableType.DOMAIN_NAME, "ours.bad-host.com"), now)


def test_copies_that_cannot_be_used_are_reported_with_the_reason_and_the_installed_ones_are_used(
    folder,
):
    lists = folder / "lists"
    own_list(lists, "google", 1, "old.bad-host.com")
    own_list(lists, "microsoft", 20990101)
    own_list(lists, "apple", None, "undated.bad-host.com")
    (lists / "cloudflare.json").write_text("{", encoding="utf-8")
    loaded = load_text(with_section("allowlist: {warninglist_folder: lists}"))
    assert [warning.removeprefix(f"{lists}/") for warning in loaded.warnings] == [
        "apple/list.json: is not used: has no version, so its age is unknown",
        "cloudflare.json: is not used: Input data was truncated",
        "google/list.json: is not used: is version 1, no newer than the installed one",
        "microsoft/list.json: is not used: has no entries, so it would protect nothing",
    ]
    allowlist, now = loaded.make_allowlist(), datetime(2026, 11, 1, tzinfo=UTC)
    assert allowlist.protects(Observable(ObservableType.DOMAIN_NAME, "google.ad"), now)


def test_a_folder_of_warninglists_has_to_be_there(folder):
    assert problems(with_section("allowlist: {warninglist_folder: lists}")) == [
        f"c.yaml:8: allowlist.warninglist_folder: {folder}/lists: is not a folder"
    ]


def test_what_a_file_switches_off_is_noted_and_no_error(folder):
    assert load_text(SMALLEST).notes == ()
    assert load_text(with_section("allowlist: {warninglists: [default, rfc1918]}")).notes == ()
    said = "allowlist: {builtin: {except: [vital]}, warninglists: []}"
    vital, default = load_text(with_section(said)).notes
    assert vital == (
        "c.yaml:8: allowlist.builtin.except[0]: vital is switched off, so these may be blocked: "
        "log-on, updates, certificates, time, names, emergency services"
    )
    assert default.startswith(
        "c.yaml:8: allowlist.warninglists: the default set is switched off (15 lists, including "
    )


def test_groups_of_the_builtin_allowlist_can_be_left_out(folder):
    text = with_section("allowlist: {builtin: {except: [documentation, own_hosts]}}")
    allowlist = load_text(text).make_allowlist()
    now = datetime(2027, 1, 1, tzinfo=UTC)
    assert not allowlist.protects(Observable(ObservableType.IPV4_ADDR, "192.0.2.7"), now)
    assert not allowlist.protects(Observable(ObservableType.DOMAIN_NAME, "taxii.example"), now)


def test_hosts_that_we_need_are_known(folder):
    text = with_feed("proxy: 'http://proxy.example:3128'")
    assert load_text(text).own_hosts == {"taxii.example", "proxy.example"}


def test_the_fingerprint_follows_the_file_and_its_site_files(folder):
    Path("allow.txt").write_text("a.example\n")
    text = with_section("allowlist: {files: [allow.txt]}")
    first = load_text(text)
    assert load_text(text).fingerprint == first.fingerprint
    assert load_text(text + "# more\n").fingerprint != first.fingerprint
    Path("allow.txt").write_text("b.example\n")
    assert load_text(text).fingerprint != first.fingerprint
    assert first.files == {folder / "c.yaml", folder / "allow.txt"}


def test_what_is_not_used_causes_a_warning(folder):
    text = SMALLEST.replace("perimeter: {}", "perimeter: {select: {feeds: [isac]}}\n  spare: {}")
    assert load_text(text).warnings == ("c.yaml:6: lists.spare: no output uses this list",)
    text = with_list("select: {feeds: [isac]}").replace(
        "lists:", "  other: {type: pages, url: 'https://b.example/'}\nlists:"
    )
    assert load_text(text).warnings == ("c.yaml:4: feeds.other: no list uses this feed",)


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://isac.example/", True), ("http://10.0.0.7:8080/", True),
        ("http://localhost.example/", True), ("https://isac.example/", False),
        ("http://localhost:5000/", False), ("http://127.0.0.1/", False), ("http://[::1]/", False),
    ],
)  # fmt: skip
def test_a_server_that_is_asked_in_clear_text_causes_a_warning(folder, url, warned):
    found = load_text(SMALLEST.replace("https://taxii.example/", url)).warnings
    assert [": feeds.isac.url: is not encrypted: " in text for text in found] == [True] * warned


def test_a_password_of_the_database_is_joined_only_to_connect(folder):
    state = "state: {url: 'postgresql+psycopg://svc@db.example:5432/x', password: {env: PW}}"
    loaded = load_text(with_section(state), PW="p@ss/word")
    assert loaded.config.state.connection_url == (
        "postgresql+psycopg://svc:p%40ss%2Fword@db.example:5432/x"
    )
    assert "p@ss" not in repr(loaded)
    assert loaded.config.state.password == SecretValue("p@ss/word")


def test_a_mapping_is_laid_over_that_of_the_adapter(folder):
    facts = Facts(
        observable=Observable(ObservableType.IPV4_ADDR, "192.0.2.7"),
        indicator_id="indicator--1",
        indicator_name="",
        indicator_types=(),
        labels=(),
        created_by="",
        modified=None,
        confidence=85,
        feed="isac",
        list="perimeter",
        output="edge",
        marking="clear",
        valid_from=None,
        valid_until=None,
    )
    severity = "severity: {from: confidence, steps: {low: 0, high: 80}}"
    for mapping, fields in {
        "": {"comment": "from isac"},
        severity: {"comment": "from isac", "severity": "high"},
        f"comment: null, {severity}": {"severity": "high"},
    }.items():
        loaded = load_text(with_output(f"mapping: {{{mapping}}}"))
        assert loaded.mappers["edge"](facts) == fields


def test_clients_open_the_server_to_others(folder):
    clients = "[{name: fw-01, token: {env: T}}, {name: fw-02, address: '2001:db8::/32'}]"
    server = load_text(with_section(f"server: {{listen: '[::]:8099', clients: {clients}}}"), T="t")
    assert (server.config.server.host, server.config.server.port) == ("::", 8099)
    assert not server.config.server.loopback_only
    assert [client.name for client in server.config.server.clients] == ["fw-01", "fw-02"]


def test_a_name_of_this_machine_is_loopback(folder):
    for host, only_here in {"localhost": True, "[::1]": True, "127.0.0.2": True}.items():
        server = load_text(with_section(f"server: {{listen: '{host}:80'}}")).config.server
        assert server.loopback_only is only_here
    told = problems(with_section("server: {listen: 'fw.example:80'}"))
    assert "listens beyond this machine at fw.example:80" in told[0]


def test_anchors_spare_repetition(folder):
    text = SMALLEST.replace("edge: {", "edge: &edge {") + (
        "  twin: {<<: *edge, options: {file: twin.txt}}\n"
    )
    assert load_text(text).config.outputs["twin"].adapter == "text"


def test_the_country_code_of_norway_is_a_word(folder):
    listed = load_text(with_list("select: {labels: {any: [NO, on]}}")).config.lists["perimeter"]
    assert listed.select.labels.any == ("NO", "on")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (
            "auth: {username: soc, token: {env: TOKEN}}",
            "feeds.isac.auth: should use only one of username and token",
        ),
        (
            "auth: {token: {env: LINES}}",
            "feeds.isac.auth.token: contains characters that a header cannot contain",
        ),
        ("ca: gone.pem", "feeds.isac.ca: {folder}/gone.pem cannot be read: No such file"),
        ("auth: {client_cert: {env: TOKEN}}", "feeds.isac.auth.client_cert: this and auth"),
        (
            "auth: {client_key: {env: TOKEN}}",
            "feeds.isac.auth.client_key: needs auth.client_cert too",
        ),
    ],
)
def test_credentials_that_cannot_work_are_reported_with_their_line(folder, keys, told):
    found = problems(f"{with_feed(keys)}colour: red\n", TOKEN="hush-hush", LINES="hush\nhush")
    assert found[0].startswith(f"c.yaml:3: {told.format(folder=folder)}")
    assert found[1].startswith("c.yaml:8: colour: is not a known key")
    assert "hush" not in "".join(found)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SMALLEST.replace("version: 1", 'version: "1"'), "version: should be 1, is the text 1"),
        (
            with_list("select: {min_confidence: 50%}"),
            "min_confidence: should be a whole number from 0 to 100 or one of low, medium, high",
        ),
        (
            with_output(f"limits: {{max_entries: {'9' * 5000}}}"),
            "limits.max_entries: should be a whole number, is",
        ),
    ],
)
def test_what_is_wrong_and_what_would_do_are_distinguished(folder, text, told):
    (problem,) = problems(text)
    assert told in problem


def test_options_of_an_output_that_cannot_work_are_reported_with_their_line(folder):
    options = 'adapter: remote, options: {url: "https://a.example/", ca: gone.pem}'
    text = SMALLEST.replace("adapter: text, options: {file: edge.txt}", options)
    assert problems(text) == [
        f"c.yaml:7: outputs.edge.options.ca: {folder}/gone.pem cannot be read: "
        "No such file or directory"
    ]


def test_a_private_authority_is_among_the_files_to_watch(folder):
    authority = folder / "ca.pem"
    authority.write_bytes(Path(certifi.where()).read_bytes())
    assert authority in load_text(with_feed("ca: ca.pem")).files


class _Reluctant(TextAdapter):
    """Says that it cannot work, and of no option."""

    def __init__(self, settings: TextSettings, context: OutputContext) -> None:
        raise ConfigError(["needs the package frobnicate: install it"])


def test_what_an_adapter_lacks_is_reported_where_it_is_configured(folder):
    Path("c.yaml").write_text(SMALLEST, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(Path("c.yaml"), Registry({"text": _Reluctant}, {"pages": PagesFeed}), {})
    assert caught.value.problems == (
        "c.yaml:7: outputs.edge.options: needs the package frobnicate: install it",
    )


class Unlucky(TextAdapter):
    """Fails when it is made."""

    def __init__(self, settings: TextSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        raise KeyError("s3cret")


class Waiting(TextAdapter):
    """Cannot be made for now."""

    def __init__(self, settings: TextSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        raise UnavailableError("the device is restarting")


def test_what_may_pass_by_itself_is_told_in_its_own_words_and_is_no_bug_of_the_plugin(folder):
    Path("c.yaml").write_text(SMALLEST, encoding="utf-8")
    with pytest.raises(UnavailableError, match="the device is restarting"):
        load(Path("c.yaml"), Registry({"text": Waiting}, {"pages": PagesFeed}), {})


def test_a_bug_in_a_constructor_is_the_line_of_its_output_and_hides_no_other_problem(folder):
    Path("c.yaml").write_text(
        "version: 1\nfeeds:\n  isac: {type: pages, url: 'https://taxii.example/'}\n"
        "lists:\n  perimeter: {}\noutputs:\n"
        "  edge: {list: perimeter, adapter: unlucky, options: {file: edge.txt}}\n"
        "  core: {list: perimeter, adapter: text, options: {file: core.txt, colour: red}}\n"
    )
    kinds = Registry({"unlucky": Unlucky, "text": TextAdapter}, {"pages": PagesFeed})
    with pytest.raises(ConfigError) as caught:
        load(Path("c.yaml"), kinds, {})
    bug, other = caught.value.problems
    assert bug.startswith("c.yaml:7: outputs.edge.options: cannot be made, by a bug of its plugin")
    assert "KeyError in test_config_loading.py:" in bug
    assert "s3cret" not in bug
    assert other.startswith("c.yaml:8: outputs.core.options.colour: is not an option")
