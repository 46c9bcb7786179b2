"""The list server's certificate: checked with the file, and renewed without a reload."""

import subprocess
from pathlib import Path

import pytest
from config_plugins import registry

from connector.config import Loaded, load, serving
from connector.errors import ConfigError
from connector.instants import system_clock

CONFIG = """\
version: 1
server:
  listen: 0.0.0.0:8443
  tls:
    certificate: {file: tls.crt}
    key: {file: tls.key}
    client_ca: tls.crt
  clients:
    - {name: fw, certificate: fw.example}
feeds:
  isac: {type: pages, url: "https://taxii.example/"}
lists:
  perimeter: {}
outputs:
  edge: {list: perimeter, adapter: text, options: {file: edge.txt}}
"""
TLS = ("tls.crt", "tls.key")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_pair(days: str) -> None:
    command = (
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-days", days, "-subj", "/CN=lists", "-keyout", "tls.key", "-out", "tls.crt",
    )  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)


def load_text(text: str, *, tries: bool = True) -> Loaded:
    Path("c.yaml").write_text(text, encoding="utf-8")
    return load(Path("c.yaml"), registry(), {}, tries=tries)


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    return list(caught.value.problems)


def warnings(loaded: Loaded) -> list[str]:
    return [warning for warning in loaded.warnings if "server.tls" in warning]


@pytest.mark.usefixtures("folder")
def test_a_certificate_that_ends_within_30_days_is_a_warning_and_no_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_pair("40")
    assert warnings(load_text(CONFIG)) == []
    make_pair("29")
    (told,) = warnings(load_text(CONFIG))
    assert told.startswith("c.yaml:5: server.tls.certificate: ends in 28 days, 20")
    monkeypatch.setattr(serving, "system_clock", lambda: system_clock() + 30 * serving.DAY)
    (told,) = warnings(load_text(CONFIG))
    assert told.startswith("c.yaml:5: server.tls.certificate: has ended, 20")


@pytest.mark.usefixtures("folder")
def test_a_pair_that_cannot_be_used_is_a_problem_with_its_line() -> None:
    make_pair("40")
    Path("other.key").write_bytes(Path("tls.key").read_bytes())
    make_pair("40")
    told = problems(CONFIG.replace("tls.key", "other.key"))
    assert told == ["c.yaml:6: server.tls.key: does not belong to certificate"]
    Path("tls.key").write_text("x")
    load_text(CONFIG, tries=False)  # who only looks at the state needs no key


@pytest.mark.usefixtures("folder")
def test_a_client_s_certificate_needs_the_authority_that_signed_it() -> None:
    make_pair("40")
    (told,) = problems(CONFIG.replace("    client_ca: tls.crt\n", ""))
    assert "needs tls.client_ca" in told
    (told,) = problems(
        CONFIG.replace("certificate: fw.example", "address: 192.0.2.1, token: {env: X}")
    )
    assert told.startswith("c.yaml:9: server.clients[0]")


def test_the_pair_is_renewed_without_a_reload_unless_another_part_uses_it(folder: Path) -> None:
    make_pair("40")
    assert load_text(CONFIG).files == {folder / "c.yaml"}
    shared = 'taxii.example/", auth: {client_cert: {file: tls.crt}, client_key: {file: tls.key}}'
    assert load_text(CONFIG.replace('taxii.example/"', shared)).files == {
        folder / "c.yaml", *(folder / name for name in TLS),
    }  # fmt: skip
