"""The server: who gets an answer, what each response says to the browser, and the bounds on what arrives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="Starlette is not installed (pip install 'fcnlite[explore]')")

import fcnlite.explore
from fcnlite.explore import server
from fcnlite.explore.messages import pack, unpack
from fcnlite.explore.server import Site, bind
from fcnlite.explore.worker import Worker
from tests.explore.asgi import Answer, request

PORT = 8123
HOST = f"127.0.0.1:{PORT}"
ORIGIN = f"http://{HOST}"
PAGE = Path(fcnlite.explore.__file__).parent / "page"
OWN = [("host", HOST), ("origin", ORIGIN)]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    worker = Worker("tests.explore.slow_functions", {"greeting": "hello"}, 20, 1 << 40)
    yield Site({"inference": worker}, PORT)
    worker.close()


def path_of(site: Site, name: str = "") -> str:
    return site.address.removeprefix(ORIGIN) + name


def post(site: Site, headers: Any = OWN, body: Any = (), worker: str = "inference") -> Answer:
    return request(site.app, path_of(site, f"call/{worker}"), "POST", headers, body)


def test_the_page_and_its_files(site: Site) -> None:
    for file in PAGE.iterdir():
        if file.suffix == ".html":
            continue
        answer = request(site.app, path_of(site, file.name), headers=[("host", HOST)])
        assert answer.status == 200 and answer.body == file.read_bytes()
    for path, name in (("", "explorer"), ("index.html", "explorer"), ("playground.html", "playground")):
        answer = request(site.app, path_of(site, path), headers=[("host", f"localhost:{PORT}")])
        assert answer.status == 200 and f'src="{name}.js"'.encode() in answer.body and b"$" not in answer.body
        assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "name", ["../server.py", "..%2fserver.py", "/etc/passwd", "texts", "page/index.html", "page.html", "\0"]
)
def test_no_other_file(site: Site, name: str) -> None:
    assert request(site.app, path_of(site, name), headers=[("host", HOST)]).status == 404


def test_a_call_gets_its_answer(site: Site) -> None:
    answer = post(site, body=[pack({"name": "greet", "arguments": {}})])
    assert answer.status == 200 and unpack(answer.body)["value"] == "hello"
    assert post(site, worker="other").status == 404
    assert request(site.app, path_of(site, "call/inference"), headers=OWN).status in (404, 405)


def test_a_stream_repeats_a_call_until_there_is_no_value(site: Site) -> None:
    body = [pack({"name": "count", "arguments": {"to": 4}})]
    answer = request(site.app, path_of(site, "stream/inference"), "POST", OWN, body)
    values, rest = [], answer.body
    while rest:
        end = 4 + int.from_bytes(rest[:4], "little")
        values.append(unpack(rest[4:end])["value"])
        rest = rest[end:]
    assert answer.status == 200 and values == [0, 1, 2, 3, None]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("host", "evil.example")],
        [("host", f"evil.example:{PORT}")],
        [("host", "127.0.0.1:1")],
        [("host", HOST), ("host", "evil.example")],
        [("host", HOST), ("origin", "http://evil.example")],
        [("host", HOST), ("origin", "null")],
        [("host", HOST), ("origin", ORIGIN), ("origin", "http://evil.example")],
        [("host", HOST), ("origin", f"https://{HOST}")],
        [("host", HOST), ("sec-fetch-site", "cross-site")],
    ],
)
def test_other_hosts_and_origins_get_nothing(site: Site, headers: list[tuple[str, str]]) -> None:
    assert request(site.app, path_of(site), headers=headers).status == 403
    assert post(site, headers).status == 403


def test_a_post_needs_its_origin(site: Site) -> None:
    assert post(site, [("host", HOST)]).status == 403


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t + "x", lambda t: "", lambda t: "x" * len(t)])
def test_a_wrong_token_gets_nothing(site: Site, change: Any) -> None:
    token = path_of(site).strip("/")
    assert len(token) >= 32
    for name in ("", "index.html", "call/inference"):
        for path in (f"/{change(token)}/{name}", f"//{token}/{name}", "/"):
            answer = request(site.app, path, headers=OWN)
            assert answer.status == 403 and token.encode() not in answer.body


def test_two_servers_have_two_tokens(site: Site) -> None:
    assert Site({}, PORT).address != site.address


def test_every_response_has_the_headers(site: Site) -> None:
    for answer in (
        request(site.app, path_of(site), headers=[("host", HOST)]),
        request(site.app, path_of(site, "nothing"), headers=[("host", HOST)]),
        request(site.app, "/", headers=[("host", HOST)]),
        post(site, body=[b"junk"]),
    ):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy and "style-src 'self';" in policy
        assert "unsafe" not in policy and "http" not in policy and "*" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"


def test_a_large_body_is_refused_whatever_it_declares(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LARGEST_UPLOAD", 1000)
    for headers, body in (
        ([("content-length", "1001")], []),
        ([("content-length", "-1")], []),
        ([("content-length", "10")], [b"x" * 600, b"x" * 600]),
        ([], [b"x" * 100] * 11),
    ):
        answer = post(site, [*OWN, *headers], body)
        assert answer.status == 413 and "make the picture smaller" in unpack(answer.body)["error"]


def test_a_body_that_does_not_end_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def forever(_: Any) -> None:
        import asyncio

        await asyncio.sleep(60)

    monkeypatch.setattr(server, "UPLOAD_SECONDS", 0.05)
    monkeypatch.setattr(server, "_body", forever)
    answer = post(site)
    assert answer.status == 408 and "to arrive" in unpack(answer.body)["error"]


def test_only_this_machine_can_connect() -> None:
    with bind(0) as first:
        address, port = first.getsockname()
        assert address == "127.0.0.1"
        first.listen()
        with pytest.raises(OSError):
            bind(port)


# The page


def test_the_page_needs_no_network_and_no_inline_code() -> None:
    for file in PAGE.iterdir():
        text = file.read_text(encoding="utf-8")
        links = [
            each for each in re.findall(r"https?://[^\s\"'`)]+", text) if not each.startswith("http://www.w3.org/")
        ]
        assert links == [], file.name
        if file.suffix == ".html":
            assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?![^>]* src=)", text)
        if file.suffix == ".js":
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
