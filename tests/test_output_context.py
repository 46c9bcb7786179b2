"""What the core hands an adapter beside its options."""

import ssl
from pathlib import Path

import pytest
from firewall import FirewallSettings, Rack

from connector.adapter import ConfigError, OutputContext, Settings, TlsSettings
from connector.registry import Registry
from connector.testing.context import output_context


class Options(Settings):
    """None."""


def test_tls_verifies_the_server_by_the_options(tmp_path: Path) -> None:
    context = output_context(TlsSettings(), tmp_path).tls
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    ca = tmp_path / "ca.pem"
    ca.write_text("no certificate", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"ca: .*ca\.pem should be a PEM file of certificates"):
        assert output_context(TlsSettings(ca=ca), tmp_path).tls


def test_tls_needs_the_options_for_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="options derived from TlsSettings"):
        assert output_context(Options(), tmp_path).tls


def test_the_registry_hands_it_over(tmp_path: Path) -> None:
    registry = Registry({"firewall": Rack().adapter}, {})
    kept: dict[str, str] = {}
    options = FirewallSettings(device="edge")
    adapter = registry.make_adapter("firewall", options, "edge", tmp_path, state=kept)
    adapter.context.state["serial"] = "7"
    assert kept == {"serial": "7"}


def test_a_line_of_its_log_names_the_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context = OutputContext("edge", tmp_path)
    context.log.info("zone.sent", bytes=200)
    context.log.warning("zone.refused")
    told = capsys.readouterr().out
    assert "zone.sent" in told
    assert told.count("output=edge") == 2
