"""Runs OpenTAXII on a free port, says which on its first line, and ends with its parent's pipe.

Runs under the interpreter of an environment of its own: OpenTAXII wants an older SQLAlchemy.
"""

import os
import sys
import threading
from pathlib import Path

_CONFIG = """\
domain: 127.0.0.1
support_basic_auth: yes
auth_api:
  class: opentaxii.auth.sqldb.SQLDatabaseAPI
  parameters:
    db_connection: sqlite:///{folder}/auth.db
    create_tables: yes
    secret: for-a-test-on-loopback-and-nothing-else
    token_ttl_secs: 3600
taxii1:
taxii2:
  title: stand-in
  max_content_length: 104857600
  public_discovery: false
  persistence_api:
    class: opentaxii.persistence.sqldb.Taxii2SQLDatabaseAPI
    parameters: {{db_connection: "sqlite:///{folder}/taxii2.db", create_tables: yes}}
logging: {{opentaxii: error, root: error}}
"""
ROOT = "11111111-1111-4111-8111-111111111111"


def main() -> None:
    folder = Path(sys.argv[1])
    config = folder / "opentaxii.yml"
    config.write_text(_CONFIG.format(folder=folder))
    os.environ["OPENTAXII_CONFIG"] = str(config)
    from opentaxii.cli.auth import create_account
    from opentaxii.cli.persistence import add_api_root, add_collection
    from opentaxii.http import app
    from werkzeug.serving import make_server

    said, sys.stdout = sys.stdout, sys.stderr
    create_account(["-u", "soc", "-p", "pass", "-a"])
    sys.argv = ["", "-t", "public", "-d", "x", "--default", "--id", ROOT]
    add_api_root()
    sys.argv = ["", "-r", ROOT, "-t", "Public", "-d", "x", "--public", "--public-write"]
    add_collection()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    said.write(f"{server.port}\n")
    said.flush()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
