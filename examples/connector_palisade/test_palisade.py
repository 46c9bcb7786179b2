"""Tests this adapter's promises against an emulator that is as unkind as the firewall."""

import pytest
from connector_palisade import PalisadeAdapter, PalisadeSettings
from palisade_target import PASSWORD, USER, Palisade

from connector.adapter import (
    Entry,
    Full,
    Held,
    Observable,
    ObservableType,
    Refused,
    RefusedError,
    SecretValue,
    UnavailableError,
    Written,
)
from connector.testing.adapter_suite import AdapterSuite
from connector.testing.context import output_context
from connector.testing.http_target import Fault

KINDS = {ObservableType.IPV4_ADDR: "network", ObservableType.IPV6_ADDR: "network"}
ONE, TWO = (Observable(ObservableType.IPV4_ADDR, f"203.0.113.{n}") for n in (7, 8))
NAME, BELOW = (Observable(ObservableType.DOMAIN_NAME, f"{s}bad.example") for s in ("", "*."))


@pytest.fixture
def target():
    with Palisade() as firewall:
        yield firewall


def adapter_on(target, folder, **options):
    settings = PalisadeSettings(
        url=target.url, user=USER, password=SecretValue(PASSWORD), **options
    )
    return PalisadeAdapter(settings, output_context(settings, folder))


@pytest.fixture
def adapter(target, tmp_path):
    made = adapter_on(target, tmp_path)
    yield made
    made.close()
    made.context.close()


class TestPalisade(AdapterSuite):
    @pytest.fixture
    def adapter(self, adapter):
        return adapter

    @pytest.fixture
    def http_target(self, target):
        return target

    @pytest.fixture
    def neighbour(self, target, tmp_path):
        return adapter_on(target, tmp_path, list="elsewhere")

    @pytest.fixture
    def contrary(self, target):
        def allow(entry):
            kind = "domain" if entry.observable.below else "host"
            value = entry.value.removeprefix("*.")
            target.by_hand("blocked", KINDS.get(entry.type, kind), value, "allow")

        return allow

    @pytest.fixture
    def refuse(self, target):
        def refuses(entry):
            target.refuses[entry.value.removeprefix("*.")] = "not a valid value"

        return refuses

    @pytest.fixture
    def fill(self, target):
        def leave(room):
            target.most = len(target.live) + room

        return leave

    @pytest.fixture
    def foreign(self, target):
        def put(theirs):
            below = theirs.observable.below
            kind = KINDS.get(theirs.type, "domain" if below else "host")
            target.by_hand("blocked", kind, theirs.value.removeprefix("*."))

        return put


def unit(adapter, *entries, remove=()):
    """Add and remove as one unit of work; return what became of the entries added."""
    adapter.begin()
    said = adapter.add([Entry(one) for one in entries])
    adapter.remove(remove)
    adapter.commit()
    return said


def test_nothing_is_live_before_the_task_of_its_publication_ended(adapter, target):
    adapter.begin()
    adapter.add([Entry(ONE)])
    assert target.blocks() == []
    live_at_each_poll = []
    target.pause = lambda call: "/tasks/" in call.path and live_at_each_poll.append(target.blocks())
    adapter.commit()
    assert live_at_each_poll == [[], []]
    assert target.blocks() == [ONE.value]


def test_a_session_that_ends_loses_what_was_staged_and_says_so(adapter, target):
    with adapter.context.unit_of_work():  # as the core does
        adapter.begin()
        adapter.add([Entry(ONE)])
        target.sessions.end()
        with pytest.raises(UnavailableError, match="what was staged in it is lost"):
            adapter.add([Entry(TWO)])
    adapter.abandon()
    unit(adapter, ONE, TWO)
    assert target.blocks() == [ONE.value, TWO.value]


@pytest.mark.parametrize("on", ["/add", "/publish", "/tasks/"])
def test_a_unit_is_never_finished_in_another_session(adapter, target, on):
    target.fail(Fault.SESSION_ENDS, on, after=1 if on == "/add" else 0)

    def whole():
        with adapter.context.unit_of_work():
            adapter.begin()
            for one in (ONE, TWO):
                adapter.add([Entry(one)])
            adapter.commit()

    with pytest.raises(UnavailableError, match="what was staged in it is lost"):
        whole()
    adapter.abandon()
    assert set(target.blocks()) <= {ONE.value, TWO.value}
    unit(adapter, ONE, TWO)
    assert target.blocks() == [ONE.value, TWO.value]


def test_a_unit_whose_last_answer_was_lost_can_be_done_again(adapter, target):
    target.fail(Fault.RESET_AFTER, "/api/publish")
    with pytest.raises(UnavailableError):
        unit(adapter, ONE)
    adapter.abandon()
    unit(adapter, ONE)
    assert target.blocks() == [ONE.value]


def test_a_publication_that_fails_is_no_success(adapter, target):
    target.fails_to_publish = "validation of the policy failed"
    with pytest.raises(UnavailableError, match="validation of the policy failed"):
        unit(adapter, ONE)


def test_the_lock_of_an_administrator_is_waited_for(adapter, target):
    rival = target.sessions.open()
    assert target.take_lock(rival)
    with pytest.raises(UnavailableError, match="locked by another session"):
        adapter.begin()
    adapter.abandon()
    target.sessions.close(rival)
    unit(adapter, ONE)
    assert target.blocks() == [ONE.value]


def test_each_item_is_answered_for_by_the_name_we_gave_it(adapter, target):
    target.refuses["*.bad.example".removeprefix("*.")] = "reserved by policy"
    said = unit(adapter, ONE, NAME, BELOW)
    assert said[NAME] == said[BELOW] == Refused("reserved by policy")
    assert said[ONE] == Written("obj-1")
    assert target.blocks() == [ONE.value]


def test_what_has_no_room_is_full_and_not_refused(adapter, target):
    target.most = 1
    assert unit(adapter, ONE, TWO)[TWO] == Full()


def test_an_entry_goes_by_the_id_that_the_firewall_gave_it_without_a_look(adapter, target):
    handle = unit(adapter, NAME)[NAME].handle
    unit(adapter, remove=[Held(NAME, handle=handle)])
    assert target.called("/query") == []
    assert target.blocks() == []


def test_an_entry_whose_id_was_lost_is_looked_for(adapter, target):
    unit(adapter, NAME, BELOW)
    unit(adapter, remove=[Held(NAME)])
    assert [held.observable for held in adapter.read()] == [BELOW]


def test_an_exception_by_hand_is_contrary(adapter, target):
    target.by_hand("blocked", "host", NAME.value, action="allow")
    (held,) = adapter.holds([NAME])
    assert held.contrary == "an administrator allows it on the firewall"


def test_a_list_that_changes_between_two_pages_is_no_list(adapter, target):
    for number in range(150):
        target.by_hand("blocked", "host", f"h{number}.example")

    def adds_one(call):
        if call.json().get("start"):
            target.by_hand("blocked", "host", "a.example")

    target.pause = adds_one
    with pytest.raises(UnavailableError, match="changed while it was read"):
        list(adapter.read())


@pytest.mark.parametrize("fault", [Fault.ERROR_PAGE, Fault.HALF_JSON, Fault.CUT_OFF])
def test_an_answer_that_is_none_is_no_empty_list(adapter, target, fault):
    unit(adapter, ONE)
    target.fail(fault, "/query", times=9)
    with pytest.raises(UnavailableError):
        list(adapter.read())


def test_an_expired_session_is_opened_again_for_reading(adapter, target):
    before = adapter.stamp()
    target.sessions.end()
    assert adapter.stamp() == before


def test_a_wrong_password_is_refused_and_never_shown(target, tmp_path):
    settings = PalisadeSettings(url=target.url, user=USER, password=SecretValue("a wrong one"))
    adapter = PalisadeAdapter(settings, output_context(settings, tmp_path))
    with pytest.raises(RefusedError) as raised:
        adapter.stamp()
    assert "a wrong one" not in str(raised.value)


def test_neither_password_nor_token_is_shown_where_the_firewall_echoes_them(adapter, target):
    for call in ("/login", "/revision"):
        target.fail(Fault.ECHO, call, times=9)
        with pytest.raises(UnavailableError) as raised:
            adapter.stamp()
        target.heal()
        for secret in (PASSWORD, *target.sessions.issued):
            assert secret not in str(raised.value)


def test_no_session_is_left_behind(adapter, target):
    for _ in range(5):
        adapter.stamp()
        unit(adapter, ONE)
        adapter.begin()
        adapter.abandon()
    adapter.stamp()
    adapter.close()
    adapter.context.close()
    assert not any(map(target.sessions.knows, target.sessions.issued))
