"""What every benchmark sets up: a configuration, a store and the service in a folder."""

from collections.abc import Sequence
from pathlib import Path

import structlog

from connector.config.loading import load
from connector.registry import Registry
from connector.service.build import build
from connector.service.service import Service
from connector.service.state import open_store

CONFIG = """
version: 1
feeds:
  ais: {{type: {feed}, unmarked_tlp: green}}
allowlist: {{builtin: {{except: [special_purpose, documentation]}}}}
lists:
  all: {{purpose: block, audience: own}}
outputs:
{outputs}
publish_folder: published
"""
EDL = "  {name}: {{list: all, adapter: edl, options: {{file: {name}.txt}}}}"


def service_in(folder: Path, feed: str, outputs: Sequence[str]) -> Service:
    """Return the service of a configuration made for a benchmark."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(feed=feed, outputs="\n".join(outputs)))
    loaded = load(path, Registry.installed())
    return build(loaded, Registry.installed(), open_store(loaded))
