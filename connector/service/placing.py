"""Where an output keeps its list, as text without secrets, and an adapter made from it again."""

import json
from collections.abc import Mapping
from enum import Enum
from os.path import realpath
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from connector.adapter import Adapter
from connector.config.checks import named_place, named_places
from connector.config.loading import Loaded
from connector.errors import ConfigError, ConnectorError
from connector.model import ObservableType
from connector.registry import Registry
from connector.settings import PUBLISHED_FILE, SecretValue, Settings
from connector.store.outputs.places import FOLDER, Place, PlacedLedger, Placing
from connector.store.outputs.texts import KeptTexts

_SECRET: Final = "***"  # noqa: S105 - what every secret is shown as
_NO_CREDENTIALS: Final = (
    "it needs the credentials that it was kept with, which the state does not keep: "
    "`connector withdraw` takes them from the earlier file with -c"
)


class UnreachablePlaceError(ConnectorError):
    """A place that was left cannot be cleaned from here; the words say why."""


def placing_of(loaded: Loaded, output: str, known_as: str | None = None) -> Placing:
    """Return where an output of the file keeps its list; `known_as` stands for its name."""
    folder, options = _folder(loaded), loaded.outputs[output]
    kept = _text(loaded.config.publish_folder, folder)
    told = _plain(options.model_dump(by_alias=True), folder)
    return Placing(
        loaded.config.outputs[output].adapter,
        json.dumps(told, sort_keys=True),
        json.dumps(sorted(loaded.config.types_of(output))),
        kept,
        frozenset(_places(options, known_as or output, kept, folder)),
    )


def placings(loaded: Loaded) -> dict[str, Placing]:
    """Return where each output of the file keeps its list."""
    return {name: placing_of(loaded, name) for name in loaded.config.outputs}


def remake(
    ledger: PlacedLedger,
    loaded: Loaded,
    registry: Registry,
    lender: Settings | None = None,
    *,
    places: frozenset[Place] | None = None,
    texts: KeptTexts | None = None,
) -> Adapter[Any]:
    """Return an adapter for a place as it was kept, or for some of its places alone.

    The secrets are those of `lender`, where both are for the same server. Raises
    UnreachablePlaceError where that does not do.
    """
    placing, folder = ledger.placing, _folder(loaded)
    if placing is None:
        raise UnreachablePlaceError("where it is was never recorded")
    options = _options(placing, folder, registry, lender)
    if places is not None:
        options = _narrowed(options, places, ledger.name, placing.folder, folder)
    published = Path(placing.folder.replace(FOLDER, str(folder)))
    types = frozenset(map(ObservableType, json.loads(placing.types)))
    try:
        return registry.make_adapter(
            placing.adapter, options, ledger.name, published, types, state=texts
        )
    except ConfigError as error:
        raise UnreachablePlaceError("; ".join(error.problems)) from error


def _options(
    placing: Placing, folder: Path, registry: Registry, lender: Settings | None
) -> Settings:
    """Return the options that a place was kept with."""
    said = json.loads(placing.options.replace(FOLDER, json.dumps(str(folder))[1:-1]))
    whole = _with_secrets(said, lender)
    try:
        model = registry.adapter(placing.adapter).settings_type
        if _has_secrets(whole):
            raise UnreachablePlaceError(_NO_CREDENTIALS)
        options = model.model_validate(whole, context={"folder": folder})
    except (ConfigError, ValidationError) as error:
        words = f"its adapter {placing.adapter} does not take the options that it was kept with"
        raise UnreachablePlaceError(words) from error
    if _has_secrets(said):
        server = options.credentials_are_for
        if lender is None or server is None or server != lender.credentials_are_for:
            raise UnreachablePlaceError(_NO_CREDENTIALS)
    return options


def _folder(loaded: Loaded) -> Path:
    return Path(realpath(loaded.path.absolute().parent))


def _places(options: Settings, output: str, kept: str, folder: Path) -> list[Place]:
    places = named_places(options, output) or ()
    return [_named(place, kept, folder) for place in places]


def _named(place: tuple[object, ...], kept: str, folder: Path) -> Place:
    parts = [None if part is None else _text(part, folder) for part in place]
    return (PUBLISHED_FILE, kept, *parts[1:]) if parts[0] == PUBLISHED_FILE else tuple(parts)


def _narrowed(
    options: Settings, chosen: frozenset[Place], output: str, kept: str, folder: Path
) -> Settings:
    """Return the options for some of their places alone."""
    there = {
        place
        for place in options.places or ()
        if _named(named_place(place, output), kept, folder) in chosen
    }
    narrowed = options.narrowed(there)
    if narrowed is None:
        raise UnreachablePlaceError("a part of this place is kept by another output now")
    return narrowed


def _text(part: object, folder: Path) -> str:
    """Return a part of a place, a path as seen from the file's folder."""
    if not isinstance(part, Path):
        return str(part)
    if not part.is_absolute():
        return str(part)
    path = Path(realpath(part))
    return f"{FOLDER}/{path.relative_to(folder)}" if path.is_relative_to(folder) else str(path)


def _plain(value: Any, folder: Path) -> Any:
    """Return an option's value as JSON has it."""
    if isinstance(value, Path):
        return _text(value, folder)
    if isinstance(value, Mapping):
        return {str(key): _plain(one, folder) for key, one in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((_plain(one, folder) for one in value), key=str)
    if isinstance(value, list | tuple):
        return [_plain(one, folder) for one in value]
    if isinstance(value, Enum):
        return value.value
    return value if isinstance(value, str | int | float | None) else str(value)


def _with_secrets(said: Any, lender: Any) -> Any:
    """Return options with the lender's secrets where they had any."""
    if isinstance(said, dict):
        return {key: _with_secrets(one, _below(lender, key)) for key, one in said.items()}
    if isinstance(said, list):
        return [_with_secrets(one, _below(lender, at)) for at, one in enumerate(said)]
    return lender if said == _SECRET and isinstance(lender, SecretValue) else said


def _below(lender: Any, key: str | int) -> Any:
    """Return the same option of the lender; None where it has none."""
    if isinstance(key, int):
        return lender[key] if isinstance(lender, list | tuple) and key < len(lender) else None
    return lender.get(key) if isinstance(lender, Mapping) else getattr(lender, key, None)


def _has_secrets(said: Any) -> bool:
    if isinstance(said, dict):
        return any(map(_has_secrets, said.values()))
    return any(map(_has_secrets, said)) if isinstance(said, list) else said == _SECRET
