"""Reads an object as every reader of JSON does, or says why readers may differ about it."""

import json
from math import isfinite
from typing import Any, Final

_DEEPEST: Final = 60  # some readers stop at 64, and a bundle is around it


def read_strictly(raw: bytes) -> dict[str, Any] | str:
    """Return what an object says, or why readers refuse it or may read something else."""
    try:
        found = _decode(raw.decode())
        if b"\\u" in raw:
            json.dumps(found, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except RecursionError:
        return _too_deep()
    except UnicodeError:
        return "what was received has bytes or escapes that are no text in UTF-8"
    except json.JSONDecodeError:
        return "what was received is no JSON"
    except ValueError as error:
        return str(error)
    if not isinstance(found, dict):
        return "what was received is no object"
    many = raw.count(b"[") + raw.count(b"{") > _DEEPEST
    return _too_deep() if many and _is_too_deep(found) else found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("what was received says one of its properties twice")
    return found


def _no_number(text: str) -> None:
    raise ValueError(f"what was received has {text}, which is no number of JSON")


def _finite(text: str) -> float:
    found = float(text)
    if not isfinite(found):
        raise ValueError("what was received has a number too large for readers")
    return found


def _too_deep() -> str:
    return f"what was received is nested deeper than {_DEEPEST}"


def _is_too_deep(found: dict[str, Any]) -> bool:
    layer: list[Any] = [found]
    for _ in range(_DEEPEST):
        inner = [one.values() if isinstance(one, dict) else one for one in layer]
        layer = [each for one in inner for each in one if isinstance(each, dict | list)]
        if not layer:
            return False
    return True


_decode: Final = json.JSONDecoder(
    object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite
).decode
