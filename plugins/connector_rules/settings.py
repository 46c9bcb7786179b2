"""Options of a file of rules."""

from pydantic import field_validator

from connector.adapter import Field, PublishedName, RuleLanguage, Settings
from connector_rules.engine import DRAFT
from connector_rules.signatures import Action


class RulesSettings(Settings):
    """Where rules are published, of which language, and what they may do."""

    file: PublishedName = Field(
        description="Name inside publish_folder, such as detect.yar or ids/local.rules."
    )
    language: RuleLanguage = Field(description="The one language of the rules in this file.")
    actions: tuple[Action, ...] = Field(
        (Action.ALERT,),
        min_length=1,
        description="What a Snort or Suricata rule may do. The allowlist cannot look into a rule: "
        "one that drops or rejects may stop what must never be stopped.",
    )
    variables: tuple[str, ...] = Field(
        (
            "HOME_NET", "EXTERNAL_NET", "HTTP_SERVERS", "SMTP_SERVERS", "SQL_SERVERS",
            "DNS_SERVERS", "TELNET_SERVERS", "SSH_SERVERS", "FTP_SERVERS", "SIP_SERVERS",
            "HTTP_PORTS", "SHELLCODE_PORTS", "ORACLE_PORTS", "SSH_PORTS", "FTP_PORTS",
            "SIP_PORTS", "FILE_DATA_PORTS",
        ),
        description="Variables that your Snort or Suricata defines; a rule that needs another one "
        "is refused, since the engine might refuse the whole file for it.",
    )  # fmt: skip
    keywords: tuple[str, ...] = Field(
        (),
        description="Keywords of Snort or Suricata that rules may use although they do more than "
        "look at traffic, such as filemd5, dataset, lua, tag, or flowbits to take marks back: with "
        "them a feed opens or writes files of the sensor, runs code on it or changes traffic.",
    )
    modules: tuple[str, ...] = Field(
        ("dotnet", "elf", "hash", "math", "pe", "string", "time"),
        description="Modules that your YARA has; a rule that imports another one is refused.",
    )
    compile: bool | None = Field(
        None,
        description="Compile each YARA rule by itself before it is written, and refuse it in the "
        "engine's words; left out: where the package yara-python is installed.",
    )
    test: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="Command by which the engine itself tests a draft before it is published, word "
        'by word, with {file} for the draft, such as [suricata, -T, -S, "{file}", -l, "."]; no '
        "shell is between. Rules that it refuses are left out, and rejected in its words; while it "
        "cannot be run, nothing is published.",
    )
    test_seconds: int = Field(
        120,
        ge=1,
        le=3600,
        description="Longest time that one run of `test` may take; what takes longer is stopped, "
        "and nothing is published.",
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
        """The file, whatever it may hold."""
        return frozenset({("published file", self.file)})
