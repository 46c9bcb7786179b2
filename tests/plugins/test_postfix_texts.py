"""Networks, header checks and body checks of a real Postfix: what is listed, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import lmdb
import postfix_host
import pytest
from connector_postfix import PostfixAdapter, PostfixSettings
from connector_postfix.keys import MARKER, client_of
from connector_postfix.texts import body_checks, header_checks
from pydantic import ValidationError
from test_kinds import NAMED, as_read, unread

from connector.adapter import (
    Entry,
    Observable,
    ObservableType,
    OutputContext,
    RefusedError,
    UnavailableError,
)
from connector.testing.samples.entries import hostile_values

T = ObservableType
ALL = {"senders": "senders", "networks": "networks", "header_checks": "headers",
       "body_checks": "bodies"}  # fmt: skip
ADDRESS = (T.EMAIL_ADDR, "phish+a@bad.example")
SUBJECT = (T.EMAIL_SUBJECT, "Invoice (4711) is due $1.00")
URL = (T.URL, "http://bad.example/a?b=1")


def entries(*values: tuple[ObservableType, str]) -> list[Entry]:
    return [
        Entry(one, {"text": "listed"}) for one in sorted(Observable(*value) for value in values)
    ]


def adapter_on(folder: Path, config: Path, **options: object) -> PostfixAdapter:
    settings = PostfixSettings(folder=folder, config_directory=config, **(ALL | options))
    return PostfixAdapter(settings, OutputContext("gateway", folder))


@pytest.fixture(scope="module")
def host() -> Iterator[postfix_host.PostfixHost]:
    postfix_host.require_postfix()
    with postfix_host.folder() as maps:
        for name in ("networks", "headers", "bodies"):
            (maps / name).touch()
        options = {"senders": "senders", "clients": "clients"}
        settings = PostfixSettings(folder=maps, **options)
        PostfixAdapter(settings, OutputContext("gateway", maps)).publish([])
        with postfix_host.postfix(maps) as running:
            yield running


@pytest.fixture
def adapter(host: postfix_host.PostfixHost) -> PostfixAdapter:
    return adapter_on(host.maps, host.config)


def message(**headers: str) -> str:
    body = headers.pop("body", "hello")
    return "".join(f"{name}: {value}\n" for name, value in headers.items()) + f"\n{body}\n"


LISTED = [
    message(Subject="Invoice (4711) is due $1.00"),
    message(Subject="invoice (4711)\n is due $1.00"),
    message(From="phish+a@bad.example"), message(From="X <Phish+A@bad.example>"),
    message(body="see http://bad.example/a?b=1"), message(body="(http://BAD.example/a?b=1)."),
    message(body='<a href="http://bad.example/a?b=1">'),
]  # fmt: skip
OTHERS = [
    message(Subject="Invoice (4711) is due $1x00"),
    message(Subject="Re: Invoice (4711) is due $1.00"),
    message(Subject="Invoice 4711 is due $1.00"), message(From="phishaa@bad.example"),
    message(From='"phish+a@bad.example" <ok@good.example>'), message(From="xphish+a@bad.example"),
    message(From='"X <phish+a@bad.example>" <ok@good.example>'),
    message(body="http://bad.example/a?b=12"), message(body="http://bad.example/aXb=1"),
    message(body="http://badXexample/a?b=1"), message(body="phish+a@bad.example"),
]  # fmt: skip


@pytest.mark.real_server
def test_headers_and_bodies_are_refused_before_after_and_after_their_revocation(host, adapter):
    adapter.publish([])
    adapter.activate()
    everything = (*LISTED, *OTHERS)
    assert host.settled(lambda: {host.sent(each) for each in everything}, {250}) == {250}
    assert adapter.publish(entries(ADDRESS, SUBJECT, URL)) == {}
    adapter.activate()
    assert host.settled(lambda: {host.sent(each) for each in LISTED}, {550}) == {550}
    assert [host.sent(each) for each in OTHERS] == [250] * len(OTHERS)
    assert host.code(ADDRESS[1]) == 554
    assert {(one.observable, one.fields["text"]) for one in adapter.read()} == {
        (Observable(*each), "listed") for each in (ADDRESS, SUBJECT, URL)
    }
    adapter.publish([])
    adapter.activate()
    assert host.settled(lambda: {host.sent(each) for each in LISTED}, {250}) == {250}


@pytest.mark.real_server
def test_a_network_of_any_length_is_refused_until_it_is_removed(host, adapter):
    listed = [(T.IPV4_ADDR, "203.0.113.64/27"), (T.IPV6_ADDR, "2001:db8:0:8000::/49")]
    inside, outside = ["203.0.113.95", "2001:db8:0:ffff::1"], ["203.0.113.96", "2001:db8::1"]

    def codes(clients: list[str]) -> list[int]:
        sender, port = "x@good.example", host.texts
        return [host.code(sender, client=client, port=port) for client in clients]

    assert adapter.publish(entries(*listed)) == {}
    adapter.activate()
    assert host.settled(lambda: codes(inside), [554, 554]) == [554, 554]
    assert codes(outside) == [250, 250]
    assert {one.observable for one in adapter.read()} == {Observable(*each) for each in listed}
    adapter.publish([])
    adapter.activate()
    assert host.settled(lambda: codes(inside), [250, 250]) == [250, 250]


@pytest.mark.real_server
def test_postfix_reads_hostile_values_as_themselves_alone(host, adapter):
    texts = [*NAMED, *(value for kind in ObservableType for value in hostile_values(kind))]
    wide = {"0.0.0.0/0", "::/0"}
    hostile = [one for one in sorted({*as_read(texts), *unread(texts)}) if one.value not in wide]
    odd = [".*", ".*....*.....*", "a|b|(c)|[d]{2}", "^x$ /OK .* REJECT", "if /x/ endif !/y/"]
    odd += [r"\(x\) \/ \1 ends \\"]
    hostile += [Observable(T.EMAIL_SUBJECT, text) for text in odd]
    hostile += [Observable(T.URL, f"http://x.example/{text.replace(' ', '')}") for text in odd]
    refused = adapter.publish([Entry(one, {"text": "$1 OK"}) for one in hostile])
    adapter.activate()
    innocent = [message(Subject="minutes of the meeting"), message(From="ok@good.example"),
                message(body="see http://x.example/ for http://good.example/a")]  # fmt: skip
    assert host.settled(lambda: {host.sent(each) for each in innocent}, {250}) == {250}
    for kind, name, before in ((T.EMAIL_SUBJECT, "headers", "Subject: "), (T.URL, "bodies", "")):
        written = [one for one in hostile if one.type is kind and one not in refused]
        assert written
        said = [f"{before}{one.value}" for one in written]
        table = f"regexp:{host.maps}/{name}"
        found = postfix_host.asked("postmap", "-q", "-", table, text="\n".join(said))
        assert [line.partition("\t")[0] for line in found.stdout.splitlines()] == said
    adapter.publish([])


@pytest.mark.real_server
def test_a_table_that_postfix_does_not_read_is_never_published(host, adapter, monkeypatch):
    adapter.publish(entries(URL))
    before = (host.maps / "bodies").read_text()
    monkeypatch.setattr("connector_postfix.texts.Form.key", lambda *_: "/[[:broken/")
    with pytest.raises(UnavailableError, match="postmap: "):
        adapter.publish(entries((T.URL, "http://worse.example/")))
    assert (host.maps / "bodies").read_text() == before
    monkeypatch.undo()
    adapter.publish([])


@pytest.mark.real_server
def test_a_broken_configuration_is_never_loaded(host, adapter):
    main = host.config / "main.cf"
    sound = main.read_text()
    postfix_host.configure(main, f"{sound}\nno_such\n")
    try:
        with pytest.raises(UnavailableError, match="postfix check: "):
            adapter.activate()
    finally:
        postfix_host.configure(main, sound)
    adapter.activate()


@pytest.mark.real_server
def test_an_address_that_is_in_one_of_its_maps_alone_differs_from_ours(host, adapter):
    adapter.publish(entries(ADDRESS))
    whole = (host.maps / "headers").read_text()
    (host.maps / "headers").write_text(whole.splitlines()[0] + "\n")
    assert [one.fields.get("where") for one in adapter.read()] == ["not in header_checks"]
    (host.maps / "headers").write_text(whole)
    adapter_on(host.maps, host.config, header_checks=None).publish([])
    assert [one.fields.get("where") for one in adapter.read()] == ["in header_checks alone"]
    adapter.publish([])


@pytest.mark.real_server
@pytest.mark.parametrize(
    ("url", "found", "others"),
    [
        ("x.com/", ["x.com", "(HTTPS://x.com/).", "at x.com/ now"],
         ["https://www.netflix.com/", "https://netflix.com/", "joe@x.com", "www.x.com",
          "https://safe.example/?next=https://x.com/", "x.com.example", "x.com/a", "x.community"]),
        ("bad.example/x", ["bad.example/x", "https://bad.example/x"],
         ["https://notbad.example/x", "not-bad.example/x", "https://safe.example/~bad.example/x"]),
        ("http://bad.example/a", ["see http://bad.example/a.", "<http://bad.example/a>",
                                  "('http://bad.example/a')"],
         ["https://safe.example/?next=http://bad.example/a", "web+http://bad.example/a",
          "https://safe.example/web/http://bad.example/a",
          "https://safe.example/#http://bad.example/a"]),
        ("http://bad.example/", ["http://bad.example", "http://bad.example/", "http://bad.example."],
         ["http://bad.example.org", "http://bad.example:8080/", "http://bad.example/a",
          "http://bad.example-a.org", "bad.example", "http://bad.example//"]),
        ("http://bad.example/a/", ["http://bad.example/a/"], ["http://bad.example/a"]),
        ("http://bad.example/a?", ["http://bad.example/a?"], ["http://bad.example/a"]),
    ],
)  # fmt: skip
def test_a_url_is_found_where_it_stands_and_within_no_other(tmp_path, url, found, others):
    postfix_host.require_postfix()
    one, bodies = Observable(T.URL, url), body_checks(tmp_path / "b")
    with bodies.draft() as draft:
        draft.write([bodies.line(one, "REJECT")])
        draft.publish()
    assert list(bodies.pairs()) == [(one, "REJECT")]
    said = "\n".join([*found, *others])
    asked = postfix_host.asked("postmap", "-q", "-", f"regexp:{tmp_path}/b", text=said)
    assert [line.partition("\t")[0] for line in asked.stdout.splitlines()] == found


def test_what_no_pattern_can_say_is_rejected(tmp_path: Path) -> None:
    headers, bodies = header_checks(tmp_path / "h"), body_checks(tmp_path / "b")
    assert "shorter than 12" in headers.why_not(Observable(T.EMAIL_SUBJECT, "Invoice"))
    assert "plain ASCII" in headers.why_not(Observable(T.EMAIL_SUBJECT, "Rechnung ist fällig"))
    assert "is no url" in bodies.why_not(Observable(T.URL, "http://bad.example/ä"))
    assert headers.why_not(Observable(T.EMAIL_ADDR, '"a b"@bad.example'))


@pytest.mark.parametrize("marked", [True, False])
def test_an_index_that_became_a_text_refuses_nobody_any_longer(tmp_path, marked):
    client = entries((T.IPV4_ADDR, "203.0.113.7"))
    named = {"folder": tmp_path, "postfix": ["true"], "config_directory": tmp_path}
    context = OutputContext("gateway", tmp_path)
    PostfixAdapter(PostfixSettings(clients="c", **named), context).publish(client)
    if not marked:
        index = lmdb.open(str(tmp_path / "c.lmdb"), subdir=False, lock=False)
        with index, index.begin(write=True) as transaction:
            transaction.delete(f"{MARKER}\0".encode())
    adapter = PostfixAdapter(PostfixSettings(networks="c", **named), context)
    adapter._tools.test = lambda *_: None
    adapter.publish(client)
    assert [one.value for one in adapter.read()] == ["203.0.113.7"]
    index = lmdb.open(str(tmp_path / "c.lmdb"), subdir=False, lock=False, readonly=True)
    with index, index.begin() as transaction:
        assert (transaction.get(b"203.0.113.7\0") is None) is marked
    assert {path.name for path in tmp_path.iterdir()} == {"c", "c.lmdb"}


def test_an_address_in_a_spelling_that_postfix_does_not_look_up_is_no_entry():
    assert client_of("2001:db8::7") == Observable(T.IPV6_ADDR, "2001:db8::7")
    assert client_of("2001:DB8::7") == Observable(T.DOMAIN_NAME, "2001:DB8::7")


def test_a_command_that_is_missing_is_told_with_the_option(tmp_path: Path) -> None:
    adapter = adapter_on(tmp_path, tmp_path, postfix=["no-such-postfix"])
    with pytest.raises(RefusedError, match="set the option postfix"):
        adapter.activate()


def test_checks_have_room_for_so_many_patterns(tmp_path: Path) -> None:
    adapter = adapter_on(tmp_path, tmp_path)
    assert adapter.pools()[adapter.pool_of(Observable(*URL))] == 5000
    assert adapter.pools()[adapter.pool_of(Observable(T.IPV4_ADDR, "203.0.113.7"))] is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"clients": "c"}, "clients and networks take the same entries"),
        ({"action": "DEFER_IF_PERMIT"}, "have no action DEFER_IF_PERMIT"),
        ({"body_checks": "headers"}, "should be different maps"),
    ],
)
def test_options_that_cannot_work_are_refused(options, words):
    with pytest.raises(ValidationError, match=words):
        PostfixSettings(**{"folder": "/x", **ALL, **options})
