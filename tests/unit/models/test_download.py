import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakeoff.errors import ModelError
from bakeoff.models import download

CONTENT = bytes(range(256)) * 4000
NAME = f"resnet18-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"

pytestmark = pytest.mark.unit


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` as `NAME`; may break off after `stop_after` bytes, or ignore ranges."""

    content = CONTENT
    stop_after: int | None = None
    knows_ranges = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if self.path != f"/{NAME}":
            self.send_error(404)
            return
        start = 0
        if wanted and self.server.knows_ranges:
            start = int(re.findall(r"\d+", wanted)[0])
            if start >= len(self.server.content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        else:
            self.send_response(200)
        rest = self.server.content[start:]
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: self.server.stop_after])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setitem(download.CHECKPOINTS, "resnet18", NAME)
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", download.URL_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_download_arrives_whole_and_tells_its_progress(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    path = download.fetch("resnet18", tmp_path, server.url, lambda done, total: told.append((done, total)))
    assert path == tmp_path / NAME
    assert path.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [file.name for file in tmp_path.iterdir()] == [NAME]


def test_what_is_there_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        download.fetch("resnet18", tmp_path, server.url)
    assert len(server.asked) == 1


def test_a_broken_download_resumes_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.stop_after = 300_000
    with pytest.raises(ModelError, match=r"cannot be fetched|broke after 300000 of 1024000 bytes"):
        download.fetch("resnet18", tmp_path, server.url)
    assert not (tmp_path / NAME).exists()
    server.stop_after = None
    assert download.fetch("resnet18", tmp_path, server.url).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-"]


def test_a_server_without_ranges_sends_everything_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT[:1000])
    server.knows_ranges = False
    assert download.fetch("resnet18", tmp_path, server.url).read_bytes() == CONTENT


def test_a_transfer_that_only_lacked_its_name_is_finished(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT)
    assert download.fetch("resnet18", tmp_path, server.url).read_bytes() == CONTENT


@pytest.mark.parametrize("lies_there", [b"garbage", bytes(5000), b"longer than the file" * 100_000])
def test_what_is_no_beginning_of_the_file_is_fetched_anew(server: Server, tmp_path: Path, lies_there: bytes) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(lies_there)
    assert download.fetch("resnet18", tmp_path, server.url).read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(lies_there)}-", None]


def test_a_damaged_checkpoint_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(CONTENT[:-1])
    assert download.fetch("resnet18", tmp_path, server.url).read_bytes() == CONTENT


def test_a_wrong_checksum_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(ModelError, match=r"wrong file: its SHA-256 begins with [0-9a-f]{8}, not [0-9a-f]{8}"):
        download.fetch("resnet18", tmp_path, server.url)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_one_clear_line(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^http://127.0.0.1:\d+/elsewhere/resnet18-.*: the server answered 404"):
        download.fetch("resnet18", tmp_path, f"{server.url}/elsewhere/")


def test_no_network_is_one_clear_line_with_a_way_out(server: Server, tmp_path: Path) -> None:
    url = server.url
    server.shutdown()
    server.server_close()
    with pytest.raises(ModelError, match=r"cannot be fetched: .*refused") as caught:
        download.fetch("resnet18", tmp_path, url)
    assert "--url" in str(caught.value.advice)


def test_the_mirror_may_stand_in_the_environment(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(download.URL_VARIABLE, server.url)
    assert download.fetch("resnet18", tmp_path).is_file()


def test_a_local_path_is_no_address(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no http or https address"):
        download.fetch("resnet18", tmp_path, "file:///etc")


def test_a_network_without_trained_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no trained weights of 'resnet-tiny'"):
        download.fetch("resnet-tiny", tmp_path)
