"""Options of a published rule file."""

from pydantic import field_validator

from connector.adapter import Field, PublishedName, RuleLanguage, Settings
from connector_rules.engine import DRAFT
from connector_rules.signatures import Action


class RulesSettings(Settings):
    """Where rules are published, in which language, and what they may do."""

    file: PublishedName = Field(
        description="Name below publish_folder, such as detect.yar or ids/local.rules."
    )
    language: RuleLanguage = Field(description="Language of the rules; a file has only one.")
    actions: tuple[Action, ...] = Field(
        (Action.ALERT,),
        min_length=1,
        description="What a Snort or Suricata rule may do. The allowlist does not see into a rule: "
        "one that drops or rejects may block what must never be blocked.",
    )
    variables: tuple[str, ...] = Field(
        (
            "HOME_NET", "EXTERNAL_NET", "HTTP_SERVERS", "SMTP_SERVERS", "SQL_SERVERS",
            "DNS_SERVERS", "TELNET_SERVERS", "SSH_SERVERS", "FTP_SERVERS", "SIP_SERVERS",
            "HTTP_PORTS", "SHELLCODE_PORTS", "ORACLE_PORTS", "SSH_PORTS", "FTP_PORTS",
            "SIP_PORTS", "FILE_DATA_PORTS",
        ),
        description="Variables that your Snort or Suricata defines; a rule that needs another one "
        "is refused, because the engine might refuse the whole file.",
    )  # fmt: skip
    keywords: tuple[str, ...] = Field(
        (),
        description="Keywords of Snort or Suricata that rules may use although they do more than "
        "inspect traffic, such as filemd5, dataset, lua, tag, or flowbits that clear marks: they "
        "let a feed read or write files on the sensor, run code on it or change traffic.",
    )
    modules: tuple[str, ...] = Field(
        ("dotnet", "elf", "hash", "math", "pe", "string", "time"),
        description="Modules that your YARA has; a rule that imports another one is refused.",
    )
    compile: bool | None = Field(
        None,
        description="Compile each YARA rule by itself, and reject a faulty one with the engine's "
        "message. When left out, rules are compiled where yara-python is installed (extra `yara`).",
    )
    test: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="Command with which the engine tests a draft before it is published, as a "
        'list of words with {file} for the draft: [suricata, -T, -S, "{file}", -l, "."]. It runs '
        "without a shell. Rules that it refuses are left out and rejected with its message; while "
        "it cannot be run, nothing is published.",
    )
    test_seconds: int = Field(
        120,
        ge=1,
        le=3600,
        description="Longest time that one run of `test` may take; a longer run is stopped, and "
        "nothing is published.",
    )

    @field_validator("test")
    @classmethod
    def _names_the_draft(cls, command: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if command is not None and not any(DRAFT in word for word in command[1:]):
            raise ValueError(
                'should have {file} where the command takes the draft, such as "{file}"'
            )
        return command

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The file, whatever rules it may have."""
        return frozenset({("published file", self.file)})
