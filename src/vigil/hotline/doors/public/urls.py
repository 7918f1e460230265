"""Addresses of the public door. Nothing that was entered ever stands in one."""

from __future__ import annotations

from django.conf.urls.i18n import i18n_patterns
from django.urls import include, path

from vigil.hotline.doors import errors
from vigil.hotline.doors.public import app, appeal, file, pages, report, status, transparency, young

desk = [
    path("", pages.home, name="home"),
    path("report/", report.start, name="report"),
    path("report/address/", report.address, name="report-address"),
    path("report/kind/", report.kind, name="report-kind"),
    path("report/words/", report.words, name="report-words"),
    path("report/check/", report.check, name="report-check"),
    path("report/sent/", report.sent, name="report-sent"),
    path("report/another/", report.another, name="report-another"),
    path("report/app/", app.app, name="report-app"),
    path("report/file/", file.file, name="report-file"),
    path("young/", young.start, name="young"),
    path("young/tell/", young.tell, name="young-tell"),
    path("young/thanks/", young.thanks, name="young-thanks"),
    path("status/", status.status, name="status"),
    path("appeal/", appeal.appeal, name="appeal"),
    path("help/", pages.help_page, name="help"),
    path("about/", pages.about, name="about"),
    path("privacy/", pages.privacy, name="privacy"),
]

urlpatterns = [
    path("", pages.entrance, name="entrance"),
    path("leave/", pages.leave, name="leave"),
    path("blank/", pages.blank, name="blank"),
    path("healthz", pages.health, name="healthz"),
    path("audit-head", transparency.audit_head, name="audit-head"),
    path("robots.txt", pages.robots, name="robots"),
    path("assets/", include("vigil.hotline.doors.design.urls")),
    *i18n_patterns(path("", include((desk, "public")))),
]

handler400, handler403, handler404, handler500 = errors.bad_request, errors.refused, errors.not_found, errors.broken
