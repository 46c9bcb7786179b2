"""The systemd unit that we ship bounds what the service may take, and systemd accepts it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from connector.config.service import ServerConfig

ROOT = Path(__file__).parents[2]
UNIT = (ROOT / "deploy" / "connector.service").read_text("utf-8")
SIZING = (ROOT / "docs" / "running-as-a-service.md").read_text("utf-8")


def setting(name: str) -> str:
    found = re.findall(rf"^{name}=(.+)$", UNIT, re.MULTILINE)
    assert len(found) == 1, name
    return str(found[0])


@pytest.mark.parametrize("name", ["MemoryMax", "TasksMax", "LimitNOFILE"])
def test_the_unit_bounds_memory_tasks_and_files_and_the_docs_say_how_to_size_them(name):
    assert f"`{name}={setting(name)}`" in SIZING


def test_the_files_of_the_unit_are_enough_for_all_connections():
    assert int(setting("LimitNOFILE")) // 4 >= ServerConfig().max_connections


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_accepts_the_unit(tmp_path):
    unit = tmp_path / "connector.service"
    text = UNIT.replace("/opt/connector/.venv/bin/connector", "/bin/true")
    unit.write_text(text, encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, "connector.service" in ran.stderr) == (0, False), ran.stderr
