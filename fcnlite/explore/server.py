"""The server process: sends the files of the page, and passes calls on to the workers. No net runs here."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from string import Template

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from fcnlite.explore.guard import Guard
from fcnlite.explore.messages import pack, unpack
from fcnlite.explore.worker import Worker

LARGEST_UPLOAD = 32 << 20
"""The most bytes of a call, with its picture."""
UPLOAD_SECONDS = 30.0
"""The longest that a call may take to arrive."""
_PAGES = {"index.html": "explorer", "playground.html": "playground"}
"""The pages: what a browser asks for, and the name, which its module has."""
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class Site:
    """The page with its workers: an ASGI application (`app`) for one address, which `address` is.

    `workers`: the worker of each group of functions, by the name that the page calls it by. `port`: of 127.0.0.1.
    """

    def __init__(self, workers: Mapping[str, Worker], port: int) -> None:
        token = secrets.token_urlsafe(24)
        self.address = f"http://127.0.0.1:{port}/{token}/"
        self._workers = dict(workers)
        self._files = _page_files()
        routes = [
            Route("/{token}/call/{worker}", self._call, methods=["POST"]),
            Route("/{token}/stream/{worker}", self._stream, methods=["POST"]),
            Route("/{token}/{path:path}", self._file, methods=["GET"]),
        ]
        inner = Starlette(routes=routes, lifespan=self._lifespan)
        self.app = Guard(inner, token, (f"127.0.0.1:{port}", f"localhost:{port}"))

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        yield
        for worker in self._workers.values():
            worker.close()

    async def _file(self, request: Request) -> Response:
        found = self._files.get(request.path_params["path"] or "index.html")
        if found is None:
            return PlainTextResponse("There is no such file.", 404)
        content, kind = found
        return Response(content, media_type=kind)

    async def _call(self, request: Request) -> Response:
        """Pass a call on, and send its answer."""

        async def answered(worker: Worker, call: bytes) -> Response:
            return Response(await worker.call(call), media_type="application/octet-stream")

        return await self._taken(request, answered)

    async def _stream(self, request: Request) -> Response:
        """Pass the same call on again and again, and send each answer after its length, in 4 bytes, little-endian.

        It ends with the first answer whose value is None or an error, or when the page closes the connection.
        """

        async def answers(worker: Worker, call: bytes) -> AsyncIterator[bytes]:
            going = True
            while going:
                answer = await worker.call(call)
                going = unpack(answer).get("value") is not None
                yield len(answer).to_bytes(4, "little") + answer

        async def answered(worker: Worker, call: bytes) -> Response:
            return StreamingResponse(answers(worker, call), media_type="application/octet-stream")

        return await self._taken(request, answered)

    async def _taken(self, request: Request, answer: Callable[[Worker, bytes], Awaitable[Response]]) -> Response:
        """Read a call, within the limits, and answer it."""
        worker = self._workers.get(request.path_params["worker"])
        if worker is None:
            return PlainTextResponse("There is no such worker.", 404)
        try:
            body = await asyncio.wait_for(_body(request), UPLOAD_SECONDS)
        except asyncio.TimeoutError:
            return _message({"error": f"the file took more than {UPLOAD_SECONDS:g} seconds to arrive; try again."}, 408)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            most = LARGEST_UPLOAD >> 20
            return _message({"error": f"the file has more than {most} MB; make the picture smaller."}, 413)
        return await answer(worker, body)


def _message(value: object, status: int) -> Response:
    # The connection is closed, because the rest of the body was not read.
    return Response(pack(value), status, {"connection": "close"}, media_type="application/octet-stream")


async def _body(request: Request) -> bytes | None:
    """The body; None if it is larger than `LARGEST_UPLOAD`, whatever its declared length."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > LARGEST_UPLOAD:
        return None
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_UPLOAD:
            return None
        parts.append(part)
    return b"".join(parts)


def _page_files() -> dict[str, tuple[bytes, str]]:
    """The content and the type of each file of the page, by the path that a browser asks for."""
    folder = Path(__file__).parent / "page"
    frame = Template((folder / "page.html").read_text(encoding="utf-8"))
    pages = {path: (frame.substitute(page=name).encode(), "text/html") for path, name in _PAGES.items()}
    return pages | {
        each.relative_to(folder).as_posix(): (each.read_bytes(), _TYPES[each.suffix])
        for each in folder.rglob("*")
        if each.suffix in _TYPES
    }


def bind(port: int) -> socket.socket:
    """A socket that listens at a port of 127.0.0.1; 0 is any free port. Raises OSError for one that is taken."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("127.0.0.1", port))
    except OSError:
        made.close()
        raise
    return made
