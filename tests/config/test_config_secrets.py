import os
import re
from pathlib import Path

import pytest

from connector.adapter import SecretValue
from connector.config.secrets import MAX_BYTES, SecretReader

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.fixture
def secret(tmp_path):
    """Writes a file with a secret, for its owner only."""

    def write(content: str | bytes, mode: int = 0o600, name: str = "secret") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path

    return write


@pytest.mark.parametrize("typed", ["007", "true", " spaced ", "x\n"])
def test_a_variable_is_text_as_it_is(tmp_path, typed):
    assert SecretReader(tmp_path, {"T": typed}).resolve("env", "T") == SecretValue(typed)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("s3cret\n", "s3cret"),
        ("s3cret\r\n", "s3cret"),
        ("s3cret", "s3cret"),
        ("a\nb\n\n", "a\nb\n"),
    ],
)
def test_the_last_line_end_of_a_file_is_not_part_of_the_secret(tmp_path, secret, content, text):
    path = secret(content)
    read = SecretReader(tmp_path, {}).resolve("file", "secret")
    assert (read.reveal(), read.file) == (text, path)


def test_a_file_is_looked_for_beside_the_configuration(tmp_path, secret):
    path = secret("s")
    reader = SecretReader(tmp_path, {})
    assert reader.resolve("file", str(path)) == reader.resolve("file", "secret")
    assert reader.files == {path}


def test_a_credential_is_where_systemd_says(tmp_path, secret):
    path = secret("s3cret\n", name="token")
    reader = SecretReader(Path("/nowhere"), {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert reader.resolve("credential", "token").reveal() == "s3cret"
    assert reader.files == {path}


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        ("env", "NONE", "the environment variable NONE is not set"),
        ("env", "EMPTY", "the environment variable EMPTY is empty"),
        ("file", "none", "/none cannot be read: No such file or directory"),
        ("file", "empty", "/empty is empty"),
        ("file", "blank", "/blank is empty"),
        ("file", "binary", "/binary is not UTF-8 text"),
        ("file", "large", "/large is larger than 1024 KiB"),
        ("file", ".", " is not a regular file"),
        ("file", "pipe", "/pipe is not a regular file"),
        ("credential", "x", "the credential x cannot be read: CREDENTIALS_DIRECTORY is not set"),
        ("credential", "../x", "should be the plain name of a credential, without a path: ../x"),
    ],
)
def test_a_secret_that_is_not_there_is_reported(tmp_path, secret, kind, name, reason):
    secret("", name="empty")
    secret("\n", name="blank")
    secret(b"\xff\xfe", name="binary")
    secret(b"x" * (MAX_BYTES + 1), name="large")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=re.escape(reason)):
        SecretReader(tmp_path, {"EMPTY": ""}).resolve(kind, name)


def test_a_file_that_everyone_can_read_causes_a_warning(tmp_path, secret):
    path = secret("s", mode=0o644)
    reader = SecretReader(tmp_path, {})
    reader.resolve("file", "secret")
    reader.resolve("file", "secret")
    assert list(reader.warnings.values()) == [
        f"{path}: any user of this machine can read this secret (mode 0644): make it 0600"
    ]


def test_a_certificate_may_be_seen_and_its_key_may_not(tmp_path, secret):
    reader = SecretReader(tmp_path, {})
    secret(CERTIFICATE, mode=0o644, name="crt")
    reader.resolve("file", "crt")
    assert reader.warnings == {}
    secret(CERTIFICATE.replace("CERTIFICATE", "PRIVATE KEY") + CERTIFICATE, 0o644, "both")
    reader.resolve("file", "both")
    assert len(reader.warnings) == 1
