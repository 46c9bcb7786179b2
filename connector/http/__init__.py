"""The HTTP client, and what its answers mean.

`Http` is imported when it is first asked for: requests is slow to import, and who only looks at an
answer's type needs none.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connector.http.client import Http

__all__ = ["Http"]


def __getattr__(name: str) -> Any:
    if name == "Http":
        from connector.http.client import Http  # noqa: PLC0415 - when it is first asked for

        return Http
    raise AttributeError(name)
