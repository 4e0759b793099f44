"""The inside of a worker process: takes calls one after the other, and answers each."""

from __future__ import annotations

import importlib
import os
import signal
import traceback
import warnings
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

from fcnlite import config
from fcnlite.errors import FcnliteError
from fcnlite.explore.messages import pack, unpack

Functions = Mapping[str, Callable[..., Any]]
"""What the page may call, by name. Each takes keyword arguments and returns what `messages.pack` takes."""


def serve(connection: Connection, module: str, settings: Mapping[str, Any], memory: int, idle: float | None) -> None:
    """Answer calls until the server closes the connection, or until no call came for `idle` seconds.

    `module`: the module whose `functions(**settings)` makes the `Functions`. `memory`: the most bytes that a net or a
    picture may ask for.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the server, and the server ends its workers
    config.set_max_memory(memory)
    functions: Functions = importlib.import_module(module).functions(**settings)
    while connection.poll(idle):
        try:
            request = connection.recv_bytes()
        except EOFError:
            break
        connection.send_bytes(answer(functions, request))
    os._exit(0)  # without waiting for a thread that computes


def answer(functions: Functions, request: bytes) -> bytes:
    """The answer to a call: {"value": ..., "warnings": [...]}, or {"error": one sentence}."""
    try:
        call = unpack(request)
        name, arguments = call["name"], call["arguments"]
        if name not in functions or not isinstance(arguments, dict):
            raise FcnliteError("the page called a function that this server does not have; reload the page.")
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            value = functions[name](**arguments)
        return pack({"value": value, "warnings": list(dict.fromkeys(str(each.message) for each in told))})
    except FcnliteError as error:
        return pack({"error": str(error)})
    except MemoryError:
        return pack({"error": "there is not enough memory for this; choose a smaller picture."})
    except Exception:
        traceback.print_exc()  # for the terminal; it names files, and the page shows no path
        return pack({"error": "the explorer failed at this; the terminal in which it runs shows why."})
