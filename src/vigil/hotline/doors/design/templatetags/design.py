"""Tags for the shared parts: ``{% load design %}``."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django import template
from django.conf import settings
from django.core.paginator import Page
from django.forms import BaseForm, BoundField
from django.urls import reverse, translate_url
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from vigil.base.clock import SystemClock, text_of
from vigil.hotline.doors.design.moments import relative
from vigil.hotline.doors.design.stylesheet import asset as find_asset

register = template.Library()

KINDS: Final = frozenset({"new", "working", "waits", "done", "danger"})


@register.simple_tag
def asset(name: str) -> str:
    """The address of a file of the design, with its digest in it."""
    wanted = find_asset(name)
    if wanted is None:
        raise template.TemplateSyntaxError(f"no asset called {name}")
    return reverse("design:asset", args=[wanted.digest, wanted.name])


@register.simple_tag
def status_tag(kind: str, text: object) -> SafeString:
    """A status as word and shape. ``kind`` is one of new, working, waits, done, danger."""
    if kind not in KINDS:
        raise template.TemplateSyntaxError(f"no kind of status called {kind}")
    return format_html('<span class="tag {}">{}</span>', kind, text)


@register.simple_tag
def moment(instant: datetime | None, now: datetime | None = None) -> SafeString:
    """An instant: date and relative words, with exact UTC in ``datetime`` and on hover. Nothing for None."""
    if instant is None:
        return SafeString("")
    seen_from = now or SystemClock().now()
    exact = instant.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC">{}, {}</time>',
        text_of(exact),
        exact.strftime("%Y-%m-%d %H:%M:%S"),
        f"{exact.day} {exact.strftime('%b %Y')}",
        relative(exact, seen_from),
    )


@register.inclusion_tag("design/parts/error_summary.html")
def error_summary(*forms: BaseForm, notes: Sequence[object] = ()) -> dict[str, Any]:
    """All mistakes of ``forms`` in one box, each linked to its field, after ``notes`` that belong to none."""
    mistakes = [("", str(note)) for note in notes]
    mistakes += [mistake for form in forms if form.is_bound for mistake in mistakes_of(form)]
    return {"mistakes": mistakes}


def mistakes_of(form: BaseForm) -> list[tuple[str, str]]:
    """(id of the field or "", text) for each mistake, in the order of the fields."""
    found = [("", str(text)) for text in form.non_field_errors()]
    for bound in form:
        found += [(first_id(bound), str(text)) for text in bound.errors]
    return found


def first_id(bound: BoundField) -> str:
    """The id that a link may point to: that of the first control of the field."""
    inner = list(bound)
    return (inner[0].id_for_label if inner else "") or str(bound.id_for_label)


@register.inclusion_tag("design/parts/field.html")
def field(bound: BoundField, heading: bool = False) -> dict[str, Any]:
    """One field with label, hint, mistake and control. ``heading`` makes the label the page's heading."""
    described = [f"{bound.auto_id}-hint"] if bound.help_text else []
    if bound.errors:
        described.append(f"{bound.auto_id}-mistake")
    attributes: dict[str, Any] = {"aria-describedby": " ".join(described)} if described else {}
    if bound.errors:
        attributes["aria-invalid"] = "true"
    return {"bound": bound, "heading": heading, "control": bound.as_widget(attrs=attributes)}


@register.inclusion_tag("design/parts/choices.html")
def choices(bound: BoundField, heading: bool = False) -> dict[str, Any]:
    """One question answered by radio buttons or check boxes, each in a large row."""
    return {"bound": bound, "heading": heading}


@register.inclusion_tag("design/parts/tick.html")
def tick(bound: BoundField) -> dict[str, Any]:
    """One box to tick, in a large row."""
    return {"bound": bound}


@register.inclusion_tag("design/parts/languages.html", takes_context=True)
def languages(context: template.Context) -> dict[str, Any]:
    """Links to the same page in the other languages; ``context["keep_query"]`` is what may follow the path."""
    request, current = context["request"], get_language()
    # The address of a page that is not there is never repeated. Without the script prefix it is found in the URL map;
    # the address made from the map has it again.
    path = request.path_info if request.resolver_match else f"/{current}/"
    kept = str(context.get("keep_query", ""))
    offered = context.get("offered") or [code for code, _ in settings.LANGUAGES]
    links = [(code, name, translate_url(path, code) + kept) for code, name in settings.LANGUAGES if code in offered]
    return {"current": current, "languages": links}


@register.filter
def seconds(number: int) -> str:
    """A length of time in words that are read at a glance: ``45 s``, ``12 min``, ``1 h 30 min``."""
    if number < 60:
        return f"{number} s"
    hours, minutes = divmod(round(number / 60), 60)
    return f"{hours} h {minutes} min" if hours and minutes else f"{hours} h" if hours else f"{minutes} min"


@register.filter
def visible(text: str) -> str:
    """Text as somebody typed it, with control and direction signs made visible, so that they can play no tricks."""
    return "".join(shown_sign(sign) for sign in text)


def shown_sign(sign: str) -> str:
    """The sign itself, or a mark for one that cannot be seen: ``␀`` for controls, ``‹U+202E›`` for the rest."""
    if sign in "\n\r\t" or unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
        return sign
    code = ord(sign)
    return chr(0x2400 + code) if code < 0x20 else f"‹U+{code:04X}›"


@register.inclusion_tag("design/parts/table.html")
def table(
    caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: str = ""
) -> dict[str, Any]:
    """A plain table. ``numbers`` names the columns that hold figures, counted from 1, such as "2 3"."""
    figures = {int(column) - 1 for column in numbers.split()}
    return {
        "caption": caption,
        "heads": [(head, place in figures) for place, head in enumerate(heads)],
        "rows": [[(cell, place in figures) for place, cell in enumerate(row)] for row in rows],
    }


@register.inclusion_tag("design/parts/pages.html", takes_context=True)
def pages(context: template.Context, page: Page[Any], name: str = "page") -> dict[str, Any]:
    """Links to the page before and after ``page``, keeping the filters of the address."""
    request = context["request"]

    def address(number: int) -> str:
        query = request.GET.copy()
        query[name] = str(number)
        return f"?{query.urlencode()}"

    return {
        "page": page,
        "before": address(page.previous_page_number()) if page.has_previous() else "",
        "after": address(page.next_page_number()) if page.has_next() else "",
    }
