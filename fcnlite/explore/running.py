"""Starts the server and its workers, and tells the user the address."""

from __future__ import annotations

import signal
import sys
import warnings
import webbrowser
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import uvicorn

from fcnlite._cli.stopping import Stopped
from fcnlite.errors import FcnliteError
from fcnlite.explore.messages import pack, unpack
from fcnlite.explore.server import Site, bind
from fcnlite.explore.worker import Worker

IDLE_SECONDS = 60.0
"""The playground's process ends when no page has called it for so long."""


def run(
    settings: Mapping[str, Any],
    playground: Mapping[str, Any],
    *,
    start: str,
    port: int,
    open_browser: bool,
    seconds: float,
    memory: int,
) -> None:
    """Serve the pages until Ctrl-C.

    `settings`, `playground`: the arguments of `inference.functions` and of `playground.functions`. `start`: the page
    to open, relative to the address. See `Worker` for the limits. Raises `FcnliteError` if the port is taken, if the
    net cannot be loaded, or for a folder or settings that the playground cannot use.
    """
    try:
        listening = bind(port)
    except OSError as error:
        raise FcnliteError(
            f"port {port} cannot be used ({error.strerror}); leave --port out for any free one."
        ) from error
    worker = Worker("fcnlite.explore.inference", settings, seconds, memory)
    trainer = Worker(
        "fcnlite.explore.playground", playground, seconds, memory, idle=IDLE_SECONDS, again="start the training again"
    )
    try:
        _begin(worker, "state")  # loads the net
        if playground.get("folder") is not None:
            _begin(trainer, "choices")  # reads the names of the folder
        site = Site({"inference": worker, "playground": trainer}, listening.getsockname()[1])
        with listening:
            _Server(site, start, open_browser).run(sockets=[listening])
    except KeyboardInterrupt as interrupt:
        if Stopped.of(interrupt).number != signal.SIGINT:  # Ctrl-C is how this command ends
            raise
    finally:
        worker.close()
        trainer.close()


def _begin(worker: Worker, name: str) -> None:
    """Call a function that has no arguments, to raise its error and emit its warnings before the page is there."""
    answer = unpack(worker.exchange(pack({"name": name, "arguments": {}})))
    if "error" in answer:
        raise FcnliteError(answer["error"])
    for warning in answer["warnings"]:
        warnings.warn(warning, stacklevel=2)


class _Server(uvicorn.Server):
    """A server that tells its address once it listens."""

    def __init__(self, site: Site, start: str, open_browser: bool) -> None:
        super().__init__(
            uvicorn.Config(
                site.app,
                log_level="warning",
                access_log=False,  # it would show the token
                server_header=False,
                ws="none",
                timeout_keep_alive=3600,  # a browser would not repeat a call on a connection that closes meanwhile
                timeout_graceful_shutdown=1,
                limit_concurrency=64,
            )
        )
        self._address, self._open = site.address + start, open_browser

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        print(self._address, flush=True)
        print("The page is for this machine alone. Ctrl-C ends it.", file=sys.stderr, flush=True)
        if self._open:
            with suppress(webbrowser.Error):
                webbrowser.open(self._address)
