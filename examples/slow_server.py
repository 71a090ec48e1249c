"""A slow web server: it answers every request after a delay.

Run it as ``python slow_server.py SECONDS``. It prints its address and serves until its standard
input closes, so it cannot outlive the program that started it.
"""

from __future__ import annotations

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class SlowPages(BaseHTTPRequestHandler):
    delay = 0.05

    def do_GET(self) -> None:
        time.sleep(self.delay)
        page = f"this is {self.path}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *args: object) -> None:
        """Print nothing: a line for each page would fill the terminal."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # Many workers connect at the same moment; the default queue of 5 would turn some away.
    request_queue_size = 128


def main() -> None:
    SlowPages.delay = float(sys.argv[1])
    server = Server(("127.0.0.1", 0), SlowPages)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main()
