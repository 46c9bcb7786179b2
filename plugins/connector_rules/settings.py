"""Options of a file of rules."""

from connector.adapter import Field, PublishedName, RuleLanguage, Settings
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
    modules: tuple[str, ...] = Field(
        ("dotnet", "elf", "hash", "math", "pe", "string", "time"),
        description="Modules that your YARA has; a rule that imports another one is refused.",
    )
    compile: bool | None = Field(
        None,
        description="Compile each YARA rule by itself before it is written, and refuse it in the "
        "engine's words; left out: where the package yara-python is installed.",
    )

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The file, whatever it may hold."""
        return frozenset({("published file", self.file)})
