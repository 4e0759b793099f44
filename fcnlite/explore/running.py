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


def run(settings: Mapping[str, Any], *, port: int, open_browser: bool, seconds: float, memory: int) -> None:
    """Serve the page until Ctrl-C. `settings`: the arguments of `inference.functions`. See `Worker` for the limits.

    Raises `FcnliteError` if the port is taken, or if the net cannot be loaded.
    """
    try:
        listening = bind(port)
    except OSError as error:
        raise FcnliteError(
            f"port {port} cannot be used ({error.strerror}); leave --port out for any free one."
        ) from error
    worker = Worker("fcnlite.explore.inference", settings, seconds, memory)
    try:
        state = unpack(worker.exchange(pack({"name": "state", "arguments": {}})))  # loads the net
        if "error" in state:
            raise FcnliteError(state["error"])
        for warning in state["warnings"]:
            warnings.warn(warning, stacklevel=2)
        site = Site({"inference": worker}, listening.getsockname()[1])
        with listening:
            _Server(site, open_browser).run(sockets=[listening])
    except KeyboardInterrupt as interrupt:
        if Stopped.of(interrupt).number != signal.SIGINT:  # Ctrl-C is how this command ends
            raise
    finally:
        worker.close()


class _Server(uvicorn.Server):
    """A server that tells its address once it listens."""

    def __init__(self, site: Site, open_browser: bool) -> None:
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
        self._address, self._open = site.address, open_browser

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        print(self._address, flush=True)
        print("The page is for this machine alone. Ctrl-C ends it.", file=sys.stderr, flush=True)
        if self._open:
            with suppress(webbrowser.Error):
                webbrowser.open(self._address)
