"""What a URL leads to: its host, and its path as servers and gateways resolve it.

They decode, drop what says nothing, follow `..` and cut parameters, each a little differently:
`/%2F`, `/./`, `/;a` and `/x/..` are the root for some of them, so that they are the root here.
"""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

__all__ = ["is_root", "split_url", "url_steps"]

_SCHEME: Final = re.compile(r"^[a-z][a-z0-9+.-]*://", re.I)
_PATH: Final = re.compile(r"(?=[/?#])")
_SLASH: Final = re.compile(r"[/\\]")
_WORD: Final = re.compile(r"[^\W_]")
# Nothing to decode, cut or follow, and something there.
_PLAIN: Final = re.compile(r"/[A-Za-z0-9](?:[^%;\\/?]|/(?!\.))*(?:\?.*)?", re.DOTALL)


@lru_cache(maxsize=8)  # of one URL, several parts of the allowlist ask for it one after the other
def split_url(url: str) -> tuple[str, str]:
    """Return the host of a URL, with or without scheme, and its path and query."""
    authority, *rest = _PATH.split(_SCHEME.sub("", url, count=1), maxsplit=1)
    authority = authority.rpartition("@")[2]
    path = rest[0].partition("#")[0] if rest else ""
    if authority.startswith("["):
        return authority[1:].partition("]")[0].lower(), path
    return authority.partition(":")[0].lower().removesuffix("."), path


def url_steps(url: str) -> list[str]:
    """Return the URLs that contain a URL, from its host down to itself, without scheme."""
    host, rest = split_url(url)
    path, _, query = rest.partition("?")
    steps = [host]
    for segment in _segments(path):
        steps.append(f"{steps[-1]}/{segment}")
    return [*steps, f"{steps[-1]}?{query}"] if query else steps


def is_root(path: str) -> bool:
    """Return whether a path, with or without a query, leads to nothing but the root of a host."""
    return _PLAIN.fullmatch(path) is None and not _segments(path.partition("?")[0])


def _segments(path: str) -> list[str]:
    """Return the segments of a path that say something, decoded and resolved."""
    found: list[str] = []
    for segment in _SLASH.split(_decoded(path)):
        name = segment.partition(";")[0]
        if name.strip() == "..":
            del found[-1:]
        elif _WORD.search(name):
            found.append(name)
    return found


def _decoded(path: str) -> str:
    """Return a path without percent signs that stand for something, however often encoded."""
    while "%" in path and (decoded := unquote(path)) != path:
        path = decoded
    return path
