"""The demo world's own page: the sites there are, and the sign-in codes of the moment."""

from __future__ import annotations

import html
from pathlib import Path

from vigil.base.clock import SystemClock
from vigil.installation.demo import people
from vigil.installation.demo.sites import PAGES

STYLE = (
    "body{font:1.0625rem/1.55 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}"
    "body{color:#1b2326;background:#fbfaf7}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:start;padding:.4rem .6rem;border-block-end:1px solid #cfd6d6}"
    "code{font-size:1.1em}a{color:#0b5a60;white-space:nowrap}@media(prefers-color-scheme:dark){body{background:#14191b;color:#e9eceb}a{color:#7fd0d3}"
    "td,th{border-color:#39464a}}"
)


class FrontPage:
    """Renders the page anew at each visit, because codes live for thirty seconds."""

    def __init__(self, logins: Path, console_port: int, provider_port: int) -> None:
        self._logins = people.load(logins)
        self._console = f"http://127.0.0.1:{console_port}/"
        self._provider = f"http://127.0.0.1:{provider_port}"

    def render(self) -> bytes:
        now = SystemClock().now().timestamp()
        staff = "".join(
            f"<tr><td>{html.escape(login.username)}<td><code>{html.escape(login.password)}</code>"
            f"<td><code>{people.code(login.totp_secret, now)}</code><td>{html.escape(people.DOES[login.username])}"
            for login in self._logins
        )
        sites = "".join(
            f'<tr><td>http://{host}{path}<td><a href="/sites/{host}{path}">as it is</a>'
            f'<td><a href="{self._provider}/sites/{host}{path}">behind the filter</a><td>{html.escape(page.words)}'
            for (host, path), page in PAGES.items()
        )
        left = people.PERIOD_SECONDS - int(now) % people.PERIOD_SECONDS
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f'<meta http-equiv="refresh" content="{left}"><title>Demo world</title><style>{STYLE}</style></head><body><main>'
            "<h1>The demo’s small world</h1><p>Everything here is made up: the sites hold shapes drawn by code.</p>"
            f"<h2>Sites</h2><table><tr><th>Address<th>Visit<th>Visit<th>What it is</tr>{sites}</table>"
            f'<h2>Staff</h2><p>Sign in at <a href="{self._console}">{self._console}</a>. Codes change every thirty seconds.</p>'
            f"<table><tr><th>Name<th>Password<th>Code now<th>Does</tr>{staff}</table></main></body></html>"
        ).encode()
