"""A medallion, the OASIS TAXII server, with an empty collection that may be written to."""

import importlib.util
import json
import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

needs_medallion = pytest.mark.skipif(
    importlib.util.find_spec("medallion") is None,
    reason="install medallion==3.0.0 (pip install 'threat-feed-connector[test]')",
)
PASSWORD = "k1-Members"
_BASIC = "Basic " + b64encode(f"soc:{PASSWORD}".encode()).decode()
KIND = "application/taxii+json;version=2.1"
_RUNNER = Path(__file__).parents[1] / "feeds" / "medallion_runner.py"


class Medallion:
    """A medallion process with so many collections, each empty."""

    def __init__(self, folder: Path, collections: int, most: int = 100_000) -> None:
        self.collections = [f"{n:08x}-1111-4111-8111-111111111111" for n in range(collections)]
        (folder / "data.json").write_text(json.dumps(self._data(most)))
        backend = {
            "module": "medallion.backends.memory_backend", "module_class": "MemoryBackend",
            "filename": str(folder / "data.json"),
        }  # fmt: skip
        told = {"backend": backend, "users": {"soc": PASSWORD}, "taxii": {"max_page_size": 100}}
        (folder / "config.json").write_text(json.dumps(told))
        self._process = subprocess.Popen(
            [sys.executable, str(_RUNNER), str(folder / "config.json")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )  # fmt: skip
        assert self._process.stdout is not None
        self.origin = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        self.root = f"{self.origin}/public/"

    def _data(self, most: int) -> dict[str, Any]:
        collections = [
            {"id": one, "title": f"Members {at}", "can_read": True, "can_write": True,
             "media_types": [KIND], "objects": [], "manifest": []}
            for at, one in enumerate(self.collections)
        ]  # fmt: skip
        information = {"title": "public", "versions": [KIND], "max_content_length": most}
        return {
            "/discovery": {"title": "medallion", "api_roots": ["/public/"]},
            "public": {"information": information, "status": [], "collections": collections},
        }

    def ask(self, path: str, body: bytes | None = None, method: str = "GET") -> Any:
        """Ask as a member would, with nothing of ours."""
        headers = {"Accept": KIND, "Content-Type": KIND, "Authorization": _BASIC}
        request = Request(f"{self.root}{path}", body, headers, method=method)  # noqa: S310 - ours
        with urlopen(request, timeout=60) as answer:  # noqa: S310 - ours
            return json.load(answer) if method != "DELETE" else None

    def objects(self, collection: int = 0) -> list[dict[str, Any]]:
        """Return the newest version of each object of a collection."""
        found = self.ask(f"collections/{self.collections[collection]}/objects/")
        return list(found.get("objects", []))

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()
