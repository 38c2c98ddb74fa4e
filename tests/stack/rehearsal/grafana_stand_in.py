"""In Grafana's place: takes its command line and its settings, needs every file they name, and says that it is well.

usage: grafana server --homepath FOLDER --config GRAFANA.INI
"""

import argparse
import configparser
import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import override

_FILE = re.compile(r"\$__file\{([^}]+)\}")


class Page(BaseHTTPRequestHandler):
    """Tells who the gateway says is there."""

    def do_GET(self) -> None:  # the name is given
        """Answer every page the same."""
        who = {name: self.headers.get(f"X-WEBAUTH-{name.upper()}") for name in ("user", "role")}
        text = json.dumps({"database": "ok", "path": self.path, **who}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    @override
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["server"])
    parser.add_argument("--homepath", required=True)
    parser.add_argument("--config", type=Path, required=True)
    given = parser.parse_args()
    settings = configparser.RawConfigParser()
    settings.read_string(given.config.read_text())
    server = settings["server"]
    provisioning = Path(settings["paths"]["provisioning"])
    for path in (given.config, *provisioning.rglob("*.yaml")):
        for name in _FILE.findall(path.read_text()):
            Path(name).read_text()
    sys.stderr.write("grafana stand-in: has read its settings\n")
    ThreadingHTTPServer((server["http_addr"], int(server["http_port"])), Page).serve_forever()


if __name__ == "__main__":
    main()
