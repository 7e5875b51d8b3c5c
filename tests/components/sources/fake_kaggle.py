"""A server on the loopback that answers as Kaggle's download address does."""

import contextlib
import http.server
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def serve_kaggle(
    body: bytes, *, status: int = 200, cut_at: int | None = None, version: int = 3
) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Yields the environment that leads Kaggle's clients here, and the list of request lines.

    KAGGLE_API_ENDPOINT leads the REST API here, which says that `version` is the newest.

    The real `opendatasets` and Kaggle client run against it: KAGGLE_API_ENVIRONMENT makes the
    client speak plain HTTP to localhost, and http_proxy brings that to the port of this server.
    """
    requests: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(f"{self.path} {self.headers.get('Authorization')}")
            content = body if status == 200 else b'{"message": "refused"}'
            if "/datasets/view/" in self.path and status == 200:
                content = f'{{"currentVersionNumber": {version}}}'.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/zip" if status == 200 else "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Last-Modified", "Thu, 03 Jan 2019 00:00:00 GMT")
            self.end_headers()
            self.wfile.write(content[: None if "/view/" in self.path else cut_at])

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield (
            {
                "KAGGLE_API_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
                "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
                "http_proxy": f"http://127.0.0.1:{server.server_port}",
            },
            requests,
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
