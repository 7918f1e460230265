"""A visitor without script: opens pages, fills in forms by their field names, keeps cookies. Standard library only."""

from __future__ import annotations

import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Form:
    """A form as it stands on a page: where it goes, and what it would send untouched."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._textarea: str | None = None
        self._select: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(values.get("action", ""), values.get("method", "get").lower())
            self.forms.append(self._open)
        elif self._open is not None:
            self._control(tag, values)

    def _control(self, tag: str, values: dict[str, str]) -> None:
        form, name = self._open, values.get("name", "")
        if form is None:
            return
        kind = values.get("type", "text" if tag == "input" else "submit")
        if tag == "button" or (tag == "input" and kind == "submit"):
            form.buttons.append((name, values.get("value", "")))
        elif tag == "input" and kind in {"radio", "checkbox"}:
            form.choices.setdefault(name, []).append(values.get("value", "on"))
            if "checked" in values:
                form.fields[name] = values.get("value", "on")
        elif tag == "input" and kind != "file":
            form.fields[name] = values.get("value", "")
        elif tag == "textarea":
            self._textarea, form.fields[name] = name, ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            form.choices.setdefault(self._select, []).append(values.get("value", ""))
            if "selected" in values or self._select not in form.fields:
                form.fields[self._select] = values.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._textarea is not None and self._open is not None:
            kept = self._open.fields[self._textarea]
            self._open.fields[self._textarea] = kept + (data if kept else data.removeprefix("\n"))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "textarea":
            self._textarea = None
        elif tag == "select":
            self._select = None


@dataclass
class Page:
    """What came back."""

    url: str
    status: int
    text: str

    @property
    def forms(self) -> list[Form]:
        return _Forms(self.text).forms

    def form_with(self, *names: str, action: str = "") -> Form:
        """The form that has all these fields, buttons or choices, and whose action contains ``action``."""
        for form in self.forms:
            known = {*form.fields, *form.choices, *(name for name, _ in form.buttons)}
            if set(names) <= known and action in form.action:
                return form
        raise AssertionError(f"no form with {names} {action} on {self.url} ({self.status}): {[f.action for f in self.forms]}")


class Visitor:
    """One person's browser, as plain as it gets."""

    def __init__(self, base: str, language: str = "en") -> None:
        self.base = base
        self._language = language
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        )

    def get(self, path: str) -> Page:
        return self._open(urllib.request.Request(urllib.parse.urljoin(self.base, path)))

    def submit(self, page: Page, form: Form, button: tuple[str, str] | None = None, **fields: str) -> Page:
        """Send ``form`` of ``page`` with these fields changed, as a press on ``button`` would."""
        content = {**form.fields, **fields, **(dict([button]) if button else {})}
        content.pop("", None)
        url = urllib.parse.urljoin(page.url, form.action)
        body = urllib.parse.urlencode(content).encode()
        if form.method == "get":
            return self.get(f"{url}?{body.decode()}")
        request = urllib.request.Request(url, data=body, headers={"Referer": page.url, "Origin": _origin(page.url)})
        return self._open(request)

    def _open(self, request: urllib.request.Request) -> Page:
        request.add_header("Accept-Language", self._language)
        try:
            with self._opener.open(request, timeout=15) as answer:
                return Page(answer.url, answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Page(error.url or request.full_url, error.code, error.read().decode(errors="replace"))


def _origin(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
