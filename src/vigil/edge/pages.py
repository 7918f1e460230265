"""The block page and the warning on a search: static, pre-rendered, the same for every entry, never echoing what was asked for.

Rules: facts/counting-and-pages.md 7–10 and facts/deterrence.md 5. The page works without script, style or pictures, is under
14 KB with its headers, and links only by absolute addresses: behind a proxy it is served under the listed site's own name.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from html import escape
from importlib.resources import files
from typing import Final, Literal
from urllib.parse import quote

import msgspec

from vigil.edge import config, directory, reference

HELP_DAYS: Final = timedelta(days=180)
TEXTS: Final = (
    "en", "ar", "cs", "da", "de", "el", "es", "fi", "fr", "he", "hi",
    "hu", "it", "ja", "nl", "pl", "pt", "ro", "ru", "sv", "tr", "uk",
)  # fmt: skip
HELP_PREFIX: Final = "/help"
Headers = tuple[tuple[bytes, bytes], ...]

STYLE: Final = (
    ":root{color-scheme:light dark;--ink:#1c2426;--paper:#fbfaf7;--accent:#0b5563;--line:#c9cfcf}"
    "@media(prefers-color-scheme:dark){:root{--ink:#eef1f0;--paper:#14191a;--accent:#8fd3df;--line:#3b4647}}"
    "body{margin:0;background:var(--paper);color:var(--ink);font:1.0625rem/1.55 system-ui,sans-serif}"
    "main{max-width:40rem;margin-inline:auto;padding:1.5rem 1rem 3rem}"
    "h1{font-size:1.6rem;line-height:1.25;margin-block:0 1rem}h2{font-size:1.15rem;margin-block:2rem .5rem}"
    "section{border-block-start:1px solid var(--line);padding-block-end:.75rem}ul{list-style:none;padding:0;margin:0}"
    "a{color:var(--accent);display:inline-block;padding-block:.6rem;min-height:1.55rem;text-underline-offset:.2em}"
    "a:focus-visible{outline:3px solid var(--accent);outline-offset:2px}"
    ".lead{font-weight:600}li{margin-block:.25rem}.ref{white-space:nowrap;font-variant-numeric:tabular-nums}"
    "nav a{margin-inline-end:1rem}@media print{body{background:#fff;color:#000}}"
)


class Kind(StrEnum):
    """Which page: an address that was blocked, or a search that asked for listed terms."""

    BLOCK = "block"
    DETER = "deter"


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
    operator: str
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
    warning_title: str
    warning_heading: str
    warning_why: str
    message_law: str
    message_harm: str
    message_help: str
    review: Review

    def message(self, name: str) -> str:
        """One of the messages that may rotate."""
        return str(getattr(self, f"message_{name}"))


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
        self._known = directory.help_lines(settings)
        self._finished: dict[tuple[str, int | None, int, Kind, str], Page] = {}

    def choose(self, language: str | None, accept: str) -> str | None:
        """The language to show: by path first, then ``Accept-Language``, then the deployer's; None for an unknown path."""
        if language is not None:
            return language if language in texts() else None
        return preferred(accept, tuple(texts()), self._settings.language)

    def messages(self, language: str) -> tuple[str, ...]:
        """The messages that may be shown: all that are configured where the texts were reviewed, else only the first."""
        reviewed = texts()[language].review.state == "reviewed"
        return self._settings.messages if reviewed else self._settings.messages[:1]

    def page(
        self, language: str, edition: int | None, now: datetime, kind: Kind = Kind.BLOCK, message: str | None = None
    ) -> Page:
        """The page in ``language``; nothing in it depends on the entry or on who asks."""
        message = message or self._settings.messages[0]
        key = (language, edition, reference.slot_of(now), kind, message)
        page = self._finished.get(key)
        if page is None:
            if len(self._finished) >= 4 * len(TEXTS):
                self._finished.clear()
            page = self._finished[key] = self._render(language, edition, now, kind, message)
        return page

    def help_at(self, place: int, today: date) -> config.HelpLine | None:
        """The help line behind a counted link; None where there is none that may be shown."""
        if not 0 <= place < len(self._known):
            return None
        line = self._known[place]
        return line if is_valid(line, today) and line.url else None

    def without_help(self, today: date) -> list[str]:
        """Languages in which no verified help line can be shown today."""
        return [code for code in texts() if not self.lines(code, today)]

    def lines(self, language: str, today: date) -> list[tuple[int, config.HelpLine]]:
        """Verified lines that speak ``language``, with their places."""
        speaks = {language, "*"}
        return [
            (place, line)
            for place, line in enumerate(self._known)
            if is_valid(line, today) and not speaks.isdisjoint(line.languages)
        ]

    def lines_of_warning(self, language: str, today: date) -> list[tuple[int, config.HelpLine]]:
        """Verified lines that speak ``language``; where there is none, those that speak another: better than nobody."""
        valid = [(place, line) for place, line in enumerate(self._known) if is_valid(line, today)]
        return self.lines(language, today) or valid

    def more_help(self, language: str) -> str | None:
        """The operator's own page about help, in ``language``."""
        return in_language(self._settings, language).help_url

    def _render(self, language: str, edition: int | None, now: datetime, kind: Kind, message: str) -> Page:
        settings = in_language(self._settings, language)
        lines = (self.lines if kind is Kind.BLOCK else self.lines_of_warning)(language, now.date())
        body = _html(_Draft(texts()[language], language, settings, kind, message), lines, reference.write(edition, now)).encode()
        return Page(self._settings.status, headers(language, self._settings, len(body)), body)


@dataclass(frozen=True, slots=True)
class _Draft:
    """What a page is made of, its help lines and its reference aside."""

    text: Text
    language: str
    settings: config.Pages
    kind: Kind
    message: str


def is_valid(line: config.HelpLine, today: date) -> bool:
    """True within 180 days after somebody verified the line."""
    return timedelta(0) <= today - line.verified_on <= HELP_DAYS


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
        rows.append(("link", f'<{ascii_address(settings.deployer_url)}>; rel="blocked-by"'))
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


def _html(draft: _Draft, lines: list[tuple[int, config.HelpLine]], mark: str) -> str:
    text, settings, block = draft.text, draft.settings, draft.kind is Kind.BLOCK
    title, heading = (text.title, text.heading) if block else (text.warning_title, text.warning_heading)
    head = (
        f'<!doctype html><html lang="{draft.language}" dir="{text.direction}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><main><h1>{escape(heading)}</h1>"
    )
    message = f'<p class="lead">{escape(text.message(draft.message))}</p>'
    parts = [
        head,
        *([_paragraph(_ground(text, settings)), _paragraph(escape(text.why)), message] if block else [message]),
        *_help(draft, lines),
        _section(_more(text, settings)),
        "" if block or lines or settings.help_url else _section(_contact(text, settings)),
        "" if block else _paragraph(escape(text.warning_why)),
        _paragraph(escape(text.accident)) if block else "",
        _section(_report(text, settings)),
        _section(_complain(text, settings, mark)) if block else "",
        _switch(draft),
        "</main></body></html>",
    ]
    return "\n".join(part for part in parts if part)


def _ground(text: Text, settings: config.Pages) -> str:
    sentence = text.law if settings.ground == "law" else text.voluntary
    return escape(sentence).replace("{deployer}", f"<bdi>{escape(settings.deployer or text.operator)}</bdi>")


def _help(draft: _Draft, lines: list[tuple[int, config.HelpLine]]) -> list[str]:
    text = draft.text
    groups = [
        ("self", text.self_heading, text.self_text),
        ("child", text.child_heading, text.child_text),
        ("anyone", text.anyone_heading, ""),
    ]
    return [
        _help_group(draft, heading, words, [pair for pair in lines if pair[1].for_whom == whom])
        for whom, heading, words in groups
    ]


def _help_group(draft: _Draft, heading: str, words: str, lines: list[tuple[int, config.HelpLine]]) -> str:
    if not lines:
        return ""
    rows = "".join(f"<li>{_line(draft, place, line)}</li>" for place, line in lines)
    return _section(f"<h2>{escape(heading)}</h2>{_paragraph(escape(words))}<ul>{rows}</ul>")


def _line(draft: _Draft, place: int, line: config.HelpLine) -> str:
    text = draft.text
    parts = [f"<bdi>{escape(line.name)}</bdi>"]
    if line.url:
        address = counted_link(draft.settings.base_url, draft.message, place) or line.url
        parts = [_link(address, f"<bdi>{escape(line.name)}</bdi>")]
    if line.phone:
        digits = "".join(sign for sign in line.phone if sign.isdigit() or sign == "+")
        parts.append(f'<a href="tel:{digits}"><bdi>{escape(line.phone)}</bdi></a>')
    notes = [line.hours, text.anonymous if line.anonymous else "", text.free if line.free else ""]
    parts.extend(f"<bdi>{escape(note)}</bdi>" for note in notes if note)
    return " · ".join(parts)


def counted_link(base: str | None, message: str, place: int) -> str | None:
    """The address at which following a help link is counted; it says which message stood there, and nothing of the reader."""
    return f"{base.rstrip('/')}{HELP_PREFIX}/{message}/{place}" if base else None


def _more(text: Text, settings: config.Pages) -> str:
    return _paragraph(_link(settings.help_url, escape(text.more_help))) if settings.help_url else ""


def _contact(text: Text, settings: config.Pages) -> str:
    """Who shows the page, where it names nobody who helps: at least they can be reached."""
    name = escape(settings.deployer or text.operator)
    return _paragraph(_link(settings.deployer_url, f"<bdi>{name}</bdi>")) if settings.deployer_url else ""


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


def _switch(draft: _Draft) -> str:
    """Links to the other languages; only where the deployer says under which absolute address the node is reached."""
    base = draft.settings.base_url
    if not base:
        return ""
    path = "blocked" if draft.kind is Kind.BLOCK else "deterrence"
    start = f"{escape(base.rstrip('/'))}/{path}"
    links = [
        f'<a href="{start}/{code}" rel="noreferrer" lang="{code}" hreflang="{code}">{escape(other.name)}</a>'
        for code, other in texts().items()
        if code != draft.language
    ]
    return f'<nav aria-label="{escape(draft.text.languages)}">{" ".join(links)}</nav>'


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


def ascii_address(address: str) -> str:
    """An address that can stand in a header."""
    return quote(address, safe=":/?#[]@!$&'()*+,;=%-._~")
