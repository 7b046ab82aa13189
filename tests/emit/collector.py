"""A collector: a local HTTP listener that can be healthy, slow, wrong or dead."""

from __future__ import annotations

import http.server
import json
import threading
from typing import Any


class Collector:
    """Keeps the body of every request; ``status`` and ``delay`` say how it answers."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.refused: list[bytes] = []
        self.status, self.delay = 200, 0.0
        self.poison: dict[bytes, int] = {}
        """What an event that holds these bytes is answered."""
        self._wake = threading.Event()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if owner.delay:
                    owner._wake.wait(owner.delay)
                said = next((s for mark, s in owner.poison.items() if mark in body), owner.status)
                (owner.bodies if said == 200 else owner.refused).append(body)
                self.send_response(said)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server.server_port}"

    def take(self) -> list[dict[str, Any]]:
        """The events so far, and forget them."""
        found, self.bodies = self.bodies, []
        return [json.loads(body) for body in found]

    def close(self) -> None:
        """Stop listening: from here on it is dead."""
        self._wake.set()
        self.server.shutdown()
        self.server.server_close()
