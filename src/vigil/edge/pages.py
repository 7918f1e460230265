"""The block page: static, pre-rendered per language, the same for every entry, never echoing what was asked for.

Rules: facts/counting-and-pages.md 7–10 and facts/deterrence.md 5. The page works without script, style or pictures, is under
14 KB with its headers, and links only by absolute addresses: behind a proxy it is served under the listed site's own name.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from html import escape
from importlib.resources import files
from typing import Final, Literal
from urllib.parse import quote

import msgspec

from vigil.edge import config, reference

HELP_DAYS: Final = timedelta(days=180)
TEXTS: Final = ("en", "nl", "fr", "ar")
Headers = tuple[tuple[bytes, bytes], ...]

STYLE: Final = (
    ":root{color-scheme:light dark;--ink:#1c2426;--paper:#fbfaf7;--accent:#0b5563;--line:#c9cfcf}"
    "@media(prefers-color-scheme:dark){:root{--ink:#eef1f0;--paper:#14191a;--accent:#8fd3df;--line:#3b4647}}"
    "body{margin:0;background:var(--paper);color:var(--ink);font:1.0625rem/1.55 system-ui,sans-serif}"
    "main{max-width:40rem;margin-inline:auto;padding:1.5rem 1rem 3rem}"
    "h1{font-size:1.6rem;line-height:1.25;margin-block:0 1rem}h2{font-size:1.15rem;margin-block:2rem .5rem}"
    "section{border-block-start:1px solid var(--line)}ul{list-style:none;padding:0;margin:0}"
    "a{color:var(--accent);display:inline-block;padding-block:.6rem;min-height:1.55rem;text-underline-offset:.2em}"
    "a:focus-visible{outline:3px solid var(--accent);outline-offset:2px}"
    "li{margin-block:.25rem}.ref{font-variant-numeric:tabular-nums}"
    "nav a{margin-inline-end:1rem}@media print{body{background:#fff;color:#000}}"
)


class Review(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who has read a text, and when; ``unreviewed`` texts are named to the operator."""

    state: Literal["unreviewed", "reviewed"]
    reviewer: str = ""
    date: date | None = None


class Text(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The strings of one language: all of them or none."""

    name: str
    direction: Literal["ltr", "rtl"]
    title: str
    heading: str
    voluntary: str
    law: str
    why: str
    accident: str
    self_heading: str
    self_text: str
    child_heading: str
    child_text: str
    anyone_heading: str
    anonymous: str
    free: str
    more_help: str
    report_heading: str
    report_link: str
    complain_heading: str
    complain_text: str
    complain_days: str
    complain_link: str
    reference: str
    languages: str
    review: Review


@dataclass(frozen=True, slots=True)
class Page:
    """A finished answer."""

    status: int
    headers: Headers
    body: bytes


@lru_cache(maxsize=1)
def texts() -> dict[str, Text]:
    """All languages, from the files beside this module."""
    folder = files("vigil.edge").joinpath("texts")
    return {code: msgspec.toml.decode(folder.joinpath(f"{code}.toml").read_bytes(), type=Text) for code in TEXTS}


class Pages:
    """The pages of one deployment; keeps the finished bytes of the present ten minutes."""

    def __init__(self, settings: config.Pages) -> None:
        self._settings = settings
        self._finished: dict[tuple[str, int | None, int], Page] = {}

    def choose(self, language: str | None, accept: str) -> str | None:
        """The language to show: by path first, then ``Accept-Language``, then the deployer's; None for an unknown path."""
        if language is not None:
            return language if language in texts() else None
        return preferred(accept, tuple(texts()), self._settings.language)

    def page(self, language: str, edition: int | None, now: datetime) -> Page:
        """The page in ``language``; nothing in it depends on the entry or on who asks."""
        key = (language, edition, reference.slot_of(now))
        page = self._finished.get(key)
        if page is None:
            if len(self._finished) >= 4 * len(TEXTS):
                self._finished.clear()
            page = self._finished[key] = self._render(language, edition, now)
        return page

    def without_help(self, today: date) -> list[str]:
        """Languages in which no verified help line can be shown today."""
        return [code for code in texts() if not self._lines(code, today)]

    def _render(self, language: str, edition: int | None, now: datetime) -> Page:
        mark = reference.write(edition, now)
        settings = in_language(self._settings, language)
        body = _html(texts()[language], language, settings, self._lines(language, now.date()), mark).encode()
        return Page(self._settings.status, headers(language, self._settings, len(body)), body)

    def _lines(self, language: str, today: date) -> list[config.HelpLine]:
        """Verified lines, those that speak the page's language first; a child is never left without one that exists."""
        valid = [line for line in self._settings.help_lines if timedelta(0) <= today - line.verified_on <= HELP_DAYS]
        return [line for line in valid if language in line.languages or "*" in line.languages]


def in_language(settings: config.Pages, language: str) -> config.Pages:
    """The settings with ``{language}`` filled in wherever a link holds it."""
    links = {name: getattr(settings, name) for name in ("complaint_url", "report_url", "help_url")}
    filled = {name: link.replace("{language}", language) for name, link in links.items() if link}
    return msgspec.structs.replace(settings, **filled)


def preferred(accept: str, offered: tuple[str, ...], default: str) -> str:
    """The best of ``offered`` by an ``Accept-Language`` header (RFC 9110, 12.5.4); ``default`` where nothing fits."""
    ranked: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept[:1000].split(",")[:20]):
        name, _, parameter = part.strip().partition(";")
        code = name.strip().lower().split("-")[0]
        quality = _quality(parameter)
        if quality > 0 and code in offered:
            ranked.append((-quality, place, code))
    if ranked:
        return min(ranked)[2]
    return default if default in offered else offered[0]


def headers(language: str, settings: config.Pages, length: int) -> Headers:
    """The headers of facts/counting-and-pages.md 10 and of RFC 7725 for 451."""
    rows = [
        ("content-type", "text/html; charset=utf-8"),
        ("content-length", str(length)),
        ("content-language", language),
        ("vary", "Accept-Language"),
        ("cache-control", "no-store"),
        ("content-security-policy", _policy()),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-robots-tag", "noindex, nofollow"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=(), browsing-topics=()"),
    ]
    if settings.status == 451 and settings.deployer_url:
        rows.append(("link", f'<{_ascii(settings.deployer_url)}>; rel="blocked-by"'))
    return tuple((name.encode(), value.encode("ascii")) for name, value in rows)


@lru_cache(maxsize=1)
def _policy() -> str:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def _quality(parameter: str) -> float:
    if not parameter.strip():
        return 1.0
    name, _, value = parameter.strip().partition("=")
    try:
        quality = float(value) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0


def _html(text: Text, language: str, settings: config.Pages, lines: list[config.HelpLine], mark: str) -> str:
    head = (
        f'<!doctype html><html lang="{language}" dir="{text.direction}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{escape(text.title)}</title>'
        f"<style>{STYLE}</style></head><body><main><h1>{escape(text.heading)}</h1>"
    )
    parts = [
        head,
        _paragraph(_ground(text, settings)),
        _paragraph(escape(text.why)),
        *_help(text, lines),
        _section(_more(text, settings)),
        _paragraph(escape(text.accident)),
        _section(_report(text, settings)),
        _section(_complain(text, settings, mark)),
        _switch(text, language, settings.base_url),
        "</main></body></html>",
    ]
    return "\n".join(part for part in parts if part)


def _ground(text: Text, settings: config.Pages) -> str:
    sentence = text.law if settings.ground == "law" else text.voluntary
    return escape(sentence).replace("{deployer}", f"<bdi>{escape(settings.deployer)}</bdi>")


def _help(text: Text, lines: list[config.HelpLine]) -> list[str]:
    groups = [
        ("self", text.self_heading, text.self_text),
        ("child", text.child_heading, text.child_text),
        ("anyone", text.anyone_heading, ""),
    ]
    return [
        _help_group(text, heading, words, [line for line in lines if line.for_whom == whom]) for whom, heading, words in groups
    ]


def _help_group(text: Text, heading: str, words: str, lines: list[config.HelpLine]) -> str:
    if not lines:
        return ""
    rows = "".join(f"<li>{_line(text, line)}</li>" for line in lines)
    return _section(f"<h2>{escape(heading)}</h2>{_paragraph(escape(words))}<ul>{rows}</ul>")


def _line(text: Text, line: config.HelpLine) -> str:
    parts = [f"<bdi>{escape(line.name)}</bdi>"]
    if line.url:
        parts = [_link(line.url, f"<bdi>{escape(line.name)}</bdi>")]
    if line.phone:
        digits = "".join(sign for sign in line.phone if sign.isdigit() or sign == "+")
        parts.append(f'<a href="tel:{digits}"><bdi>{escape(line.phone)}</bdi></a>')
    notes = [line.hours, text.anonymous if line.anonymous else "", text.free if line.free else ""]
    parts.extend(f"<bdi>{escape(note)}</bdi>" for note in notes if note)
    return " · ".join(parts)


def _more(text: Text, settings: config.Pages) -> str:
    return _paragraph(_link(settings.help_url, escape(text.more_help))) if settings.help_url else ""


def _report(text: Text, settings: config.Pages) -> str:
    if not settings.report_url:
        return ""
    return f"<h2>{escape(text.report_heading)}</h2>{_paragraph(_link(settings.report_url, escape(text.report_link)))}"


def _complain(text: Text, settings: config.Pages, mark: str) -> str:
    shown = f'<p>{escape(text.reference)}: <bdi class="ref">{mark}</bdi></p>'
    if not settings.complaint_url:
        return shown
    words = text.complain_text
    if settings.complaint_days:
        words += " " + text.complain_days.replace("{days}", str(settings.complaint_days))
    link = _link(complaint_link(settings.complaint_url, mark), escape(text.complain_link))
    return f"<h2>{escape(text.complain_heading)}</h2>{_paragraph(escape(words))}{_paragraph(link)}{shown}"


def _switch(text: Text, language: str, base: str | None) -> str:
    """Links to the other languages; only where the deployer says under which absolute address the node is reached."""
    if not base:
        return ""
    start = escape(base.rstrip("/"))
    links = [
        f'<a href="{start}/blocked/{code}" rel="noreferrer" lang="{code}" hreflang="{code}">{escape(other.name)}</a>'
        for code, other in texts().items()
        if code != language
    ]
    return f'<nav aria-label="{escape(text.languages)}">{" ".join(links)}</nav>'


def complaint_link(address: str, mark: str) -> str:
    """``address`` with the reference put at ``{reference}``, or added to the query as ``ref``."""
    if "{reference}" in address:
        return address.replace("{reference}", mark)
    return f"{address}{'&' if '?' in address else '?'}ref={mark}"


def _link(address: str, label: str) -> str:
    return f'<a href="{escape(address)}" rel="noreferrer noopener">{label}</a>'


def _paragraph(inner: str) -> str:
    return f"<p>{inner}</p>" if inner else ""


def _section(inner: str) -> str:
    return f"<section>{inner}</section>" if inner else ""


def _ascii(address: str) -> str:
    """An address that can stand in a header."""
    return quote(address, safe=":/?#[]@!$&'()*+,;=%-._~")
