"""Runs medallion on a free port, says which on its first line, and ends with its parent's pipe."""

import json
import sys
import threading
from pathlib import Path

from medallion import application_instance, register_blueprints, set_config
from werkzeug.serving import make_server


def main() -> None:
    configuration = json.loads(Path(sys.argv[1]).read_text())
    for part in ("users", "taxii", "backend"):
        set_config(application_instance, part, configuration)
    register_blueprints(application_instance)
    server = make_server("127.0.0.1", 0, application_instance, threaded=True)
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
