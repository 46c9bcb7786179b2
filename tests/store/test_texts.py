"""What an adapter keeps for itself outlives its process, and is no more than a few texts."""

import pytest

from connector.store.outputs.texts import KeptTexts
from connector.store.store import Store


def test_texts_are_kept_by_output_and_name(database_url: str) -> None:
    store = Store(database_url)
    store.database.migrate()
    texts, others = KeptTexts(store.database, "edge"), KeptTexts(store.database, "other")
    texts["serial"], others["serial"], texts["old"] = "7", "9", "gone"
    texts["serial"] = "8"
    del texts["old"]
    store.close()
    again = Store(database_url)
    assert dict(KeptTexts(again.database, "edge")) == {"serial": "8"}
    assert dict(KeptTexts(again.database, "other")) == {"serial": "9"}
    assert KeptTexts(again.database, "edge").get("old") is None
    again.close()


def test_a_text_can_be_set_while_a_list_is_read(database_url: str) -> None:
    store = Store(database_url)
    store.database.migrate()
    texts = KeptTexts(store.database, "edge")
    with store.database.read() as transaction:
        assert transaction.one("SELECT count(*) FROM texts") == 0
        texts["serial"] = "1"
    assert texts["serial"] == "1"
    store.close()


def test_they_are_small_and_few(database_url: str) -> None:
    store = Store(database_url)
    store.database.migrate()
    texts = KeptTexts(store.database, "edge")
    with pytest.raises(ValueError, match="log should be a text of at most 4,096 characters"):
        texts["log"] = "x" * 5_000
    with pytest.raises(ValueError, match="number should be a text"):
        texts["number"] = 7  # type: ignore[assignment]
    for number in range(100):
        texts[str(number)] = ""
    with pytest.raises(ValueError, match="an output keeps at most 100 texts"):
        texts["one more"] = ""
    with pytest.raises(KeyError):
        del texts["never there"]
    store.close()
