"""The base of adapters of targets that only take events, without a core or a receiver."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from connector.adapter import (
    Entry,
    Event,
    EventAdapter,
    EventSettings,
    Observable,
    ObservableType,
    OutputContext,
    OwnName,
    Refused,
    Taken,
)

ONE = Observable(ObservableType.IPV4_ADDR, "192.0.2.1")


class ReceiverSettings(EventSettings):
    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        return frozenset({("receiver", self.owner_tag or OwnName("owner_tag"))})


class Receiver(EventAdapter[ReceiverSettings]):
    settings_type = ReceiverSettings
    supports = frozenset(ObservableType)
    answer: Taken | None = None

    def worded(self, event: Event) -> str | Refused:
        return f"{event.action} {event.entry.value}"

    def hand_over(self, events: Sequence[str]) -> Taken:
        return self.answer or Taken(len(events))


def receiver(folder: Path, output: str = "edge", owner_tag: str | None = None) -> Receiver:
    return Receiver(ReceiverSettings(owner_tag=owner_tag), OutputContext(output, folder))


def test_an_output_by_its_own_name_and_one_by_its_tag_have_one_folder(tmp_path: Path) -> None:
    folders = [
        receiver(tmp_path, *names)._spool.folder
        for names in (("edge",), ("edge", "edge"), ("other", "edge"))
    ]
    assert len(set(folders)) == 1
    assert receiver(tmp_path, "other")._spool.folder != folders[0]


@pytest.mark.parametrize("answer", [Taken(0), Taken(2), Taken(1, {1: "no"})])
def test_an_answer_that_cannot_be_names_the_adapter(tmp_path: Path, answer: Taken) -> None:
    adapter = receiver(tmp_path)
    adapter.answer = answer
    with pytest.raises(TypeError, match=r"Receiver\.hand_over"):
        adapter.add([Entry(ONE)])
    adapter.close()
