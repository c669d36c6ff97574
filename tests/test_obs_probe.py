"""The health check where there is no curl: its exit code is its answer."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from skalp_bot.obs.probe import main


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # Named by the library.
        self.send_response({"/well": 200, "/ill": 503}.get(self.path, 404))
        self.end_headers()

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002  # Named by the library.
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("page", "code"), [("well", 0), ("ill", 1), ("nowhere", 1)])
def test_only_a_200_is_health(address: str, page: str, code: int) -> None:
    assert main([f"{address}/{page}"]) == code


def test_nobody_there_is_not_health() -> None:
    assert main(["http://127.0.0.1:9/livez"]) == 1


@pytest.mark.parametrize("words", [[], ["file:///etc/passwd"], ["http://a", "http://b"]])
def test_anything_but_one_address_is_bad_usage(words: list[str]) -> None:
    assert main(words) == 2
