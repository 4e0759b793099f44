"""What every request must have, and the headers that every response gets.

The address of the page begins with a random token, so that other users of this machine get nothing. The names that Host
and Origin may have keep pages of other sites out, also those whose name was made to mean this machine.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Content-Security-Policy: scripts and styles come from this server's files alone, and no text becomes markup."""
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


class Guard:
    """Passes on the requests whose path begins with /`token`/ and whose Host and Origin are among `hosts`."""

    def __init__(self, app: ASGIApp, token: str, hosts: Sequence[str]) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = frozenset(hosts)
        self._origins = frozenset(f"http://{host}" for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if self._admits(scope):
            await self._app(scope, receive, with_headers)
        else:
            await PlainTextResponse("This address is not complete; take the one that the command printed.", 403)(
                scope, receive, with_headers
            )

    def _admits(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        token = scope["path"].encode().split(b"/")[1:2]
        given = hmac.compare_digest(token[0] if token else b"", self._token)
        origins = headers.getlist("origin")
        # Browsers send an Origin with every POST.
        own = (
            self._origins.issuperset(origins) and len(origins) <= 1 and (scope["method"] in ("GET", "HEAD") or origins)
        )
        site = headers.get("sec-fetch-site", "none") in ("none", "same-origin")
        hosts = headers.getlist("host")
        return bool(given and own and site and len(hosts) == 1 and self._hosts.issuperset(hosts))
