"""The first load of a whole feed by the program itself, and how much memory it takes."""

import subprocess
import sys
from pathlib import Path

import yaml
from scenario_site import FREED, Site

from connector.testing.samples.ais_like import indicators
from connector.testing.taxii.server import TaxiiServer

SIZE = 100_000
CONNECTOR = [sys.executable, "-c", "from connector.commands.app import main; main()"]


def test_100000_indicators_are_loaded_within_a_gigabyte(site: Site, taxii: TaxiiServer) -> None:
    """From the first request to the lists that firewalls fetch, with the feed on this machine."""
    taxii.add_objects(indicators(SIZE))
    kinds = {"names": ["domain-name"], "hashes": ["file-sha256"], "addresses": ["ipv4-addr"]}
    site.folder.mkdir(exist_ok=True)
    feed = {"type": "taxii", "url": taxii.url, "page_size": 1000, "unmarked_tlp": "green"}
    config = {
        "version": 1,
        "feeds": {"ais": feed},
        "allowlist": FREED,
        "lists": {"perimeter": {"purpose": "block"}},
        "outputs": {
            name: {
                "list": "perimeter", "adapter": "edl", "types": types,
                "options": {"file": f"{name}.txt"},
            }
            for name, types in kinds.items()
        },
    }  # fmt: skip
    site.config_path.write_text(yaml.safe_dump(config), encoding="utf-8")
    mebibytes = run_once(site.config_path)
    listed = [line for name in kinds for line in site.lines(f"{name}.txt")]
    assert len(listed) > 80_000
    reasons = site.reasons()
    assert sum(reasons.values()) == site.status()["claims"] >= SIZE
    assert mebibytes < 1024


# The peak of a process begins with the memory of the one that started it: for us, all tests before.
MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def run_once(config: Path) -> float:
    """Run `connector run --once` to its end; return its peak memory in MiB."""
    command = [*CONNECTOR, "run", "--once", "-c", str(config)]
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED, *command], stdout=subprocess.PIPE, text=True, check=True
    )
    return int(ran.stdout) / 1024
