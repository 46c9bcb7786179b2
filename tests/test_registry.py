import sys
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import ClassVar

import pytest
from config_plugins import (
    PagesFeed,
    PagesSettings,
    RemoteAdapter,
    RemoteSettings,
    TextAdapter,
    TextSettings,
    registry,
)

from connector.adapter import (
    Batch,
    EntryAdapter,
    FieldSpec,
    ListAdapter,
    ObservableType,
    RuleAdapter,
    RuleLanguage,
    Text,
)
from connector.config.model import FeedConfig
from connector.errors import ConfigError, UnavailableError
from connector.registry import Registry, nearest, release

BROKEN = {
    "connector_test_raises": "raise RuntimeError('no vendor library')\n",
    "connector_test_exits": "raise SystemExit(3)\n",
    "connector_test_nothing": "",
    "connector_test_value": "thing = 3\n",
}
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n"
GOOD = '''
from connector.adapter import ListAdapter, ObservableType, Settings


class Options(Settings):
    pass


class Good(ListAdapter[Options]):
    """Keeps a list somewhere."""

    settings_type = Options
    supports = frozenset({ObservableType.URL})

    def read(self):
        return []

    def publish(self, entries):
        return {}
'''


def install(folder: Path, name: str, points: str, group: str = "connector.outputs") -> None:
    info = folder / f"{name.replace('-', '_')}-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA.format(name=name))
    (info / "entry_points.txt").write_text(f"[{group}]\n{points}\n")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder on the import path, as pip fills one."""
    for module, code in {**BROKEN, "connector_test_good": GOOD}.items():
        (tmp_path / f"{module}.py").write_text(code)
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_finds_what_this_distribution_registers():
    installed = Registry.installed()
    assert {"edl", "nftables", "postfix", "splunk_kvstore"} <= set(installed.adapter_names())
    assert {"taxii", "bundle"} <= set(installed.feed_names())


def test_a_third_party_adapter_is_found_like_ours(site):
    install(site, "connector-elsewhere", "elsewhere = connector_test_good:Good")
    info = {info.name: info for info in Registry.installed().adapters()}["elsewhere"]
    assert info.origin == "connector-elsewhere 1.5"
    assert info.summary == "Keeps a list somewhere."
    assert info.writes == "whole list"
    assert info.supports == {ObservableType.URL}
    assert info.error is None


def test_finding_imports_nothing(site):
    install(site, "connector-elsewhere", "elsewhere = connector_test_good:Good")
    assert "elsewhere" in Registry.installed().adapter_names()
    assert "connector_test_good" not in sys.modules


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        ("connector_test_raises:Adapter", "failed to load: RuntimeError: no vendor library"),
        ("connector_test_exits:Adapter", "failed to load: SystemExit: 3"),
        ("connector_test_nothing:Adapter", "failed to load: AttributeError"),
        ("connector_test_absent:Adapter", "failed to load: ModuleNotFoundError"),
        ("connector_test_value:thing", "is not a class"),
        ("pathlib:Path", "has no `settings_type` derived from Settings"),
    ],
)
def test_a_broken_plugin_is_reported_and_stops_no_other(site, point, reason):
    install(site, "connector-broken", f"broken = {point}\nwhole = connector_test_good:Good")
    infos = {info.name: info for info in Registry.installed().adapters()}
    assert reason in (infos["broken"].error or "")
    assert infos["broken"].origin == "connector-broken 1.5"
    assert infos["whole"].error is None
    with pytest.raises(ConfigError, match="the adapter broken is broken"):
        Registry.installed().adapter("broken")


def test_a_name_offered_by_two_distributions_is_refused(site):
    install(site, "connector-one", "same = connector_test_good:Good")
    install(site, "connector-two", "same = connector_test_good:Good")
    with pytest.raises(
        ConfigError, match=r"offered more than once, by connector-(one|two) 1\.5 and"
    ):
        Registry.installed().adapter("same")


def test_what_is_built_in_stays_in_use_where_another_takes_its_name(site):
    install(site, "connector-bold", "edl = connector_test_good:Good")
    installed = Registry.installed()
    assert installed.adapter("edl").__module__ == "connector_edl"
    errors = [info.error for info in installed.adapters() if info.name == "edl"]
    assert errors == [
        None, "connector-bold 1.5 offers edl, which is built in and stays in use: rename it",
    ]  # fmt: skip


@pytest.mark.parametrize("group", ["connector.output", "connector.adapters", "connectors.outputs"])
def test_a_wrong_entry_point_group_is_told(site, group):
    install(site, "connector-lost", "lost = connector_test_good:Good", group)
    installed = Registry.installed()
    (info,) = (info for info in installed.adapters() if info.name == "lost")
    words = (
        f"connector-lost 1.5 offers it in the entry-point group {group}, which nobody reads: "
        "adapters belong into connector.outputs, feeds into connector.feeds"
    )
    assert info.error == words
    with pytest.raises(ConfigError) as caught:
        installed.adapter("lost")
    assert str(caught.value) == f"lost is not an installed adapter: {words}"


@pytest.mark.parametrize("group", ["pytest11_plugins", "connector.suites"])
def test_a_group_of_others_or_of_suites_is_not_told(site, group):
    install(site, "elsewhere", "lost = connector_test_good:Good", group)
    assert not [info for info in Registry.installed().adapters() if info.name == "lost"]


def test_an_adapter_among_the_feeds_and_a_feed_among_the_adapters_are_told(site):
    install(site, "connector-swapped", "good = connector_test_good:Good", "connector.feeds")
    install(site, "connector-swaps", "pages = connector.feeds.bundle:BundleFeed")
    with pytest.raises(ConfigError, match=r"adapter, and its entry point belongs into .*outputs"):
        Registry.installed().feed("good")
    with pytest.raises(ConfigError, match=r"Feed, and its entry point belongs into .*feeds"):
        Registry.installed().adapter("pages")


def test_an_unknown_name_is_answered_with_the_names_that_would_do():
    with pytest.raises(ConfigError) as caught:
        registry().adapter("txt")
    assert str(caught.value) == "txt is not an installed adapter (text, addresses, remote)"
    with pytest.raises(
        ConfigError, match=r"x is not an installed feed type \(none are installed\)"
    ):
        Registry({}, {}).feed("x")


class NoOptions(ListAdapter[TextSettings]):
    supports = frozenset({ObservableType.URL})

    def read(self):
        return []

    def publish(self, entries):
        return {}


class NoSupport(NoOptions):
    settings_type = TextSettings
    supports = frozenset()


class Unfinished(EntryAdapter[TextSettings]):
    settings_type = TextSettings
    supports = frozenset({ObservableType.URL})


class BadMapping(NoOptions):
    settings_type = TextSettings
    fields: ClassVar[Mapping[str, FieldSpec]] = {"comment": Text()}
    default_mapping: ClassVar[Mapping[str, Mapping[str, str]]] = {"coment": {"from": "value"}}


class Working(NoOptions):
    settings_type = TextSettings


class TextTypes(Working):
    supports = frozenset({"url"})


class NamesAlone(Working):
    fields = frozenset({"comment"})


class OddField(Working):
    fields: ClassVar[Mapping[str, object]] = {"comment": "text"}


class FirstEdition(Working):
    def __init__(self, settings, http=None, place=None):
        pass


class NoContext(Working):
    def __init__(self, settings):
        pass


class WantsMore(Working):
    def publish(self, entries, why):
        return {}


class NoBatch(EntryAdapter[TextSettings]):
    settings_type = TextSettings
    supports = frozenset({ObservableType.URL})
    batch = Batch(entries=0)

    def read(self):
        return []

    def add(self, entries):
        return {}

    def remove(self, held):
        return {}


class OldBatch(NoBatch):
    batch = Batch()
    batch_size = 100


class NumberOfBatch(NoBatch):
    batch = 100


class Instantly(NoBatch):
    batch = Batch()
    ttl_bound = timedelta(0)


class NoLanguages(RuleAdapter[TextSettings]):
    settings_type = TextSettings

    def read(self):
        return []

    def publish(self, rules):
        pass


class Signatures(NoLanguages):
    """Keeps signatures."""

    takes_rules = frozenset({RuleLanguage.SNORT})


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (NoLanguages, "has an empty `takes_rules`"),
        (BadMapping, r"default_mapping\.coment: is not a field of this target \(comment\)"),
        (NoOptions, "has no `settings_type` derived from Settings"),
        (NoSupport, "has an empty `supports`"),
        (Unfinished, "lacks add, read, remove"),
        (TextTypes, "`supports` names text 'url', not ObservableType"),
        (NamesAlone, "`fields` should map each name to Text, Number, Choice, Flag or Instant"),
        (OddField, "`fields` gives comment text 'text', not Text, Number"),
        (FirstEdition, r"takes what the first edition of the contract gave: .*upgrading\.md"),
        (NoContext, r"__init__\(self, settings\) should take \(self, settings, context\)"),
        (WantsMore, r"publish\(self, entries, why\) should take \(self, entries\)"),
        (NoBatch, "`batch` has entries=0, and should have at least 1"),
        (
            OldBatch,
            r"`batch_size` is from the first edition: write `batch = Batch\(entries=\.\.\.\)`",
        ),
        (NumberOfBatch, "`batch` is int, not Batch"),
        (Instantly, "`ttl_bound` is 0:00:00, and should be at least 0:01:00"),
        (PagesFeed, "is not a ListAdapter, EntryAdapter or RuleAdapter"),
    ],
)
def test_an_adapter_that_could_not_work_is_refused(kind, reason):
    with pytest.raises(ConfigError, match=reason):
        Registry({"bad": kind}, {}).adapter("bad")


def test_a_feed_must_be_a_feed():
    with pytest.raises(ConfigError, match="is not a Feed"):
        Registry({}, {"bad": TextAdapter}).feed("bad")


def test_describes_adapters_and_feeds():
    infos = {info.name: info for info in registry().adapters()}
    assert infos["text"].summary == "Keeps addresses in a text file."
    assert (infos["text"].writes, infos["remote"].writes) == ("whole list", "batches")
    assert (infos["text"].capacity, infos["text"].fields) == (
        1000,
        {"comment": Text(), "severity": Text()},
    )
    assert [info.summary for info in registry().feeds()] == ["Pages from a server."]


def test_describes_an_adapter_that_takes_rules():
    [info] = Registry({"ids": Signatures}, {}).adapters()
    assert (info.error, info.writes) == (None, "whole set of rules")
    assert info.takes_rules == {RuleLanguage.SNORT}
    assert info.supports == frozenset()


def test_makes_an_adapter_that_knows_its_place(tmp_path):
    settings = TextSettings(file=tmp_path / "a.txt")
    made = registry().make_adapter("text", settings, "edge", tmp_path)
    assert isinstance(made, TextAdapter)
    assert (made.context.output, made.context.publish_folder) == ("edge", tmp_path)
    with pytest.raises(RuntimeError, match="needs options derived from HttpSettings"):
        _ = made.http


class ForgetfulAdapter(TextAdapter):
    """Has an `__init__` that does not call ours, and fails as it closes."""

    def __init__(self, settings, context):
        self.opened_at = settings.file

    def close(self):
        raise UnavailableError("no answer")


def test_an_adapter_whose_init_does_not_call_ours_is_closed_with_all_it_was_lent(tmp_path):
    ended = []

    class Session:
        def close(self):
            ended.append("session")

    settings = TextSettings(file=tmp_path / "a.txt")
    made = Registry({"text": ForgetfulAdapter}, {}).make_adapter("text", settings, "edge", tmp_path)
    assert made.settings == settings
    made.context._sessions.append(Session())
    with pytest.raises(UnavailableError):
        release(made)
    assert ended == ["session"]


def test_an_adapter_or_feed_whose_options_speak_http_gets_a_client(tmp_path):
    options = RemoteSettings(url="https://target.example/")
    adapter = registry().make_adapter("remote", options, "edge", tmp_path)
    feed = registry().make_feed("pages", PagesSettings(url="https://feed.example/"))
    assert isinstance(adapter, RemoteAdapter)
    assert callable(adapter.http.request)
    assert callable(feed.http.request)


def test_the_likeliest_word_comes_first_and_long_lists_are_cut():
    assert nearest("colr", ("file", "format", "color")) == "color, file, format"
    assert nearest("x", tuple("abcdefghij")) == "a, b, c, d, e, f, g, h, ..."


def test_installed_plugins_are_whole():
    installed = Registry.installed()
    assert [info.error for info in (*installed.adapters(), *installed.feeds()) if info.error] == []


def test_options_of_feeds_do_not_bend_the_keys_that_all_feeds_share():
    shared = set(FeedConfig.model_fields) - {"window"}
    for name in Registry.installed().feed_names():
        assert not shared & set(Registry.installed().feed(name).settings_type.model_fields)


def test_this_environment_knows_every_entry_point_of_the_project():
    told = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8"))
    named = told["project"]["entry-points"]
    for group, points in named.items():
        known = {point.name for point in entry_points(group=group)}
        missing = sorted(points.keys() - known)
        assert not missing, f"{missing}: added since; run `make` or `pip install --no-deps -e .`"
