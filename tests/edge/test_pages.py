"""The block page: small, static, strict headers, help in the reader's language, nothing of what was asked for."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.base.errors import InputError
from vigil.edge import config, pages

NOW = datetime(2026, 11, 22, 10, 7, tzinfo=UTC)
LINE = config.HelpLine(
    country="NL",
    name="Zorblat <line>",
    for_whom="self",
    languages=("*",),
    verified_on=date(2026, 11, 1),
    verified_by="A person",
    phone="+00 800 000 000",
    url="https://help.example/talk",
    hours="9–17",
    anonymous=True,
    free=True,
)
SETTINGS = config.Pages(
    deployer="Quimber & Net",
    deployer_url="https://quimber.example/why",
    complaint_url="https://hotline.example/appeal",
    complaint_days=14,
    report_url="https://hotline.example/report",
    help_url="https://help.example/",
    base_url="https://node.example",
    help_lines=(LINE, msgspec.structs.replace(LINE, for_whom="child"), msgspec.structs.replace(LINE, for_whom="anyone")),
)


class Tags(HTMLParser):
    """What a page is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def page(language: str, settings: config.Pages = SETTINGS, now: datetime = NOW) -> tuple[pages.Page, str]:
    made = pages.Pages(settings).page(language, 4711, now)
    return made, made.body.decode()


@pytest.mark.parametrize("language", pages.TEXTS)
def test_each_page_is_small_whole_and_needs_nothing_else(language: str) -> None:
    made, html = page(language)
    size = len(made.body) + sum(len(name) + len(value) + 4 for name, value in made.headers)
    assert size < 14 * 1024
    tags = Tags(html)
    assert not tags.open
    allowed = "html head meta title style body main h1 h2 p section ul li a bdi nav"
    assert {tag for tag, _ in tags.tags} <= set(allowed.split(" "))
    assert len(tags.named("h1")) == len(tags.named("main")) == 1
    assert tags.named("html") == [{"lang": language, "dir": pages.texts()[language].direction}]
    for attributes in tags.named("a"):
        assert re.match(r"https://|tel:", attributes["href"] or "")
        assert attributes["href"].startswith("tel:") or "noreferrer" in (attributes["rel"] or "")
    assert not re.search(r"src=|url\(|@import|<script|\son\w+=", html)


def test_headers_are_those_of_the_specification() -> None:
    made, html = page("ar")
    headers = {name.decode(): value.decode() for name, value in made.headers}
    assert made.status == 451
    assert headers["link"] == '<https://quimber.example/why>; rel="blocked-by"'
    assert headers["cache-control"] == "no-store"
    assert headers["content-language"] == "ar"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-robots-tag"] == "noindex, nofollow"
    assert int(headers["content-length"]) == len(made.body)
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    style = re.search(r"<style>(.*?)</style>", html)
    assert style is not None
    assert style[1] == pages.STYLE


def test_a_voluntary_403_names_no_order() -> None:
    made, html = page("en", msgspec.structs.replace(SETTINGS, status=403))
    assert made.status == 403
    assert b"link" not in dict(made.headers)
    assert "by its own choice" in html
    _, ordered = page("en", msgspec.structs.replace(SETTINGS, ground="law"))
    assert "because the law asks for it" in ordered


def test_all_parts_are_there_and_escaped() -> None:
    _, html = page("en")
    for part in (
        "<bdi>Quimber &amp; Net</bdi>",
        "Zorblat &lt;line&gt;",
        'href="tel:+00800000000"',
        "no name needed",
        "free of charge",
        "within 14 days",
        "https://hotline.example/appeal?ref=0001-4SR5-H068",
        "https://hotline.example/report",
        "https://node.example/blocked/ar",
    ):
        assert part in html


def test_links_lead_to_the_readers_language() -> None:
    settings = msgspec.structs.replace(
        SETTINGS, report_url="https://hotline.example/{language}/", complaint_url="https://h.example/{language}/a/"
    )
    _, html = page("ar", settings)
    assert 'href="https://hotline.example/ar/"' in html
    assert 'href="https://h.example/ar/a/?ref=' in html


def test_what_is_not_configured_is_left_out() -> None:
    _, html = page("en", config.Pages())
    assert "<a " not in html
    assert "0001-4SR5-H068" in html


def test_a_help_line_is_shown_for_180_days_after_it_was_verified() -> None:
    verified = datetime(2026, 11, 1, tzinfo=UTC)
    for days, shown in ((0, True), (180, True), (181, False), (-1, False)):
        _, html = page("en", now=verified + timedelta(days=days))
        assert ("Zorblat" in html) is shown
    pages_of_node = pages.Pages(SETTINGS)
    assert pages_of_node.without_help(date(2026, 11, 22)) == []
    assert pages_of_node.without_help(date(2027, 11, 22)) == list(pages.TEXTS)
    only_dutch = msgspec.structs.replace(SETTINGS, help_lines=(msgspec.structs.replace(LINE, languages=("nl",)),))
    assert pages.Pages(only_dutch).without_help(date(2026, 11, 22)) == [code for code in pages.TEXTS if code != "nl"]


def test_without_a_name_the_operator_is_named_in_the_language_of_the_page() -> None:
    for code, text in pages.texts().items():
        for ground in ("voluntary", "law"):
            _, html = page(code, msgspec.structs.replace(SETTINGS, deployer="", ground=ground))
            assert f"<bdi>{text.operator}</bdi>" in html
            assert code == "en" or "operator of this network" not in html
        starts = [sentence.startswith("{deployer}") for sentence in (text.voluntary, text.law)]
        assert text.operator[0] == text.operator[0].upper() or not all(starts), "it begins a sentence"


def test_languages_are_whole_and_say_who_reviewed_them() -> None:
    for code, text in pages.texts().items():
        strings = msgspec.structs.asdict(text)
        review = strings.pop("review")
        assert all(strings.values()), code
        assert "{deployer}" in text.voluntary and "{deployer}" in text.law and "{days}" in text.complain_days
        assert review.state == "unreviewed" or (review.reviewer and review.date)
    broken = b'name = "X"'
    with pytest.raises(msgspec.ValidationError):
        msgspec.toml.decode(broken, type=pages.Text)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "en"),
        ("ar", "ar"),
        ("zz, fr;q=0.8, nl;q=0.9", "nl"),
        ("fr-CA", "fr"),
        ("nl;q=0, fr;q=0.1", "fr"),
        ("*", "en"),
        ("xx;q=zorblat, ar;q=0.5", "ar"),
        ("nl;q=2, fr", "fr"),
        ("," * 5000 + "ar", "en"),
    ],
)
def test_the_language_follows_the_browser(accept: str, chosen: str) -> None:
    assert pages.Pages(SETTINGS).choose(None, accept) == chosen


@given(st.text(max_size=200))
def test_any_header_gives_a_language(accept: str) -> None:
    assert pages.preferred(accept, pages.TEXTS, "zz") in pages.TEXTS


def test_the_path_comes_first() -> None:
    chosen = pages.Pages(SETTINGS)
    assert chosen.choose("ar", "nl") == "ar"
    assert chosen.choose("zz", "nl") is None
    assert chosen.choose("", "nl") is None


def test_one_page_is_made_once_in_ten_minutes() -> None:
    node_pages = pages.Pages(SETTINGS)
    first = node_pages.page("en", 1, NOW)
    assert node_pages.page("en", 1, NOW + timedelta(minutes=2)) is first
    assert node_pages.page("en", 1, NOW + timedelta(minutes=4)) is not first
    assert node_pages.page("en", 2, NOW) is not first


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("https://a.example/x", "https://a.example/x?ref=R"),
        ("https://a.example/x?y=1", "https://a.example/x?y=1&ref=R"),
        ("https://a.example/{reference}/x", "https://a.example/R/x"),
    ],
)
def test_the_reference_goes_into_the_complaint_link(address: str, link: str) -> None:
    assert pages.complaint_link(address, "R") == link


@pytest.mark.parametrize("language", pages.TEXTS)
def test_the_warning_on_a_search_offers_help_first(language: str) -> None:
    made = pages.Pages(SETTINGS).page(language, 4711, NOW, pages.Kind.DETER, "harm")
    html = made.body.decode()
    text = pages.texts()[language]
    assert len(made.body) < 13 * 1024
    assert text.warning_heading in html and text.message_harm in html and text.complain_link not in html
    assert html.index(text.self_heading) < html.index(text.warning_why)
    assert f"https://node.example/help/harm/{0}" in html
    assert "/deterrence/" in html


def test_several_messages_rotate_only_where_somebody_reviewed_them(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = msgspec.structs.replace(SETTINGS, messages=("law", "harm"))
    assert pages.Pages(settings).messages("en") == ("law",)
    review = pages.Review("reviewed", "A person", date(2026, 11, 1))
    read = {**pages.texts(), "en": msgspec.structs.replace(pages.texts()["en"], review=review)}
    monkeypatch.setattr(pages, "texts", lambda: read)
    assert pages.Pages(settings).messages("en") == ("law", "harm")
    assert pages.Pages(settings).messages("nl") == ("law",)


def test_a_service_of_the_directory_is_shown_once_somebody_verified_it() -> None:
    checked = config.Service(id="gb-stop-it-now", verified_on=date(2026, 11, 1), verified_by="A person")
    _, html = page("en", config.Pages(services=(checked,)))
    assert "0808 1000 900" in html
    _, html = page("en", config.Pages())
    assert "0808" not in html
    for wrong in (msgspec.structs.replace(checked, id="zorblat"), msgspec.structs.replace(checked, id="fr-stop")):
        with pytest.raises(InputError):
            pages.Pages(config.Pages(services=(wrong,)))


def test_help_lines_that_expired_are_not_followed() -> None:
    node_pages = pages.Pages(SETTINGS)
    line = node_pages.help_at(0, date(2026, 11, 22))
    assert line is not None and line.url == "https://help.example/talk"
    assert node_pages.help_at(0, date(2027, 11, 22)) is None
    assert node_pages.help_at(9, date(2026, 11, 22)) is None


def warning(language: str, settings: config.Pages, now: datetime = NOW) -> str:
    return pages.Pages(settings).page(language, 4711, now, pages.Kind.DETER).body.decode()


def test_a_warning_always_names_somebody_to_turn_to() -> None:
    """Lines of the language, else of others, else the operator's page about help, else the operator."""
    dutch = msgspec.structs.replace(LINE, languages=("nl",), name="Quimberlijn")
    both = msgspec.structs.replace(SETTINGS, help_lines=(msgspec.structs.replace(LINE, languages=("en",)), dutch))
    assert "Quimberlijn" in warning("nl", both) and "Zorblat" not in warning("nl", both)
    assert "Quimberlijn" in warning("ar", both) and "Zorblat" in warning("ar", both)
    _, block = page("ar", both)
    assert "Quimberlijn" not in block, "a block page has a complaint path, and keeps to its language"
    late = NOW + timedelta(days=400)
    link = msgspec.structs.replace(both, help_url="https://help.example/{language}/")
    assert 'href="https://help.example/ar/"' in warning("ar", link, late) and SETTINGS.deployer_url is not None
    nobody = msgspec.structs.replace(both, help_url=None, report_url=None, complaint_url=None)
    assert f'href="{SETTINGS.deployer_url}"' in warning("ar", nobody, late)
    assert f'href="{SETTINGS.deployer_url}"' not in warning("ar", nobody)
    assert f'href="{SETTINGS.deployer_url}"' not in warning("ar", link, late)
