"""The URL map of the partner door."""

from __future__ import annotations

from django.urls import include, path

from vigil.hotline.doors.health import alive
from vigil.hotline.doors.partner import answers, banks, children, exchanges, reports, views

urlpatterns = [
    path("v1/counts", views.counts, name="counts"),
    path("v1/reports", reports.report, name="report"),
    path("v1/reports/bulk", reports.bulk, name="report_bulk"),
    path("v1/reports/<str:ref>", reports.state, name="report_state"),
    path("v1/child-cases", children.hand_over, name="child_case"),
    path("v1/child-cases/<str:case_number>", children.outcome, name="child_outcome"),
    path("v1/openapi.json", reports.openapi, name="openapi"),
    path("v1/matches", views.matches, name="matches"),
    path("v1/votes", views.votes, name="votes"),
    path("v1/certificates", views.certificates, name="certificates"),
    path("editions/<str:folder>/<str:name>", views.edition_file, name="edition"),
    path("editions/targets/<str:branch>/<str:owner>/<str:name>", views.branch_file, name="edition_branch"),
    path("exchange/", include("vigil.hotline.doors.partner.exchange.urls")),
    path("healthz", alive, name="healthz"),
    # banks of a platform; off unless the configuration has a table for them
    path("v1/banks", banks.feed, name="bank-feed"),
    path("c/banks", banks.all_banks, name="banks"),
    path("c/bank/<str:bank>", banks.one_bank, name="bank"),
    path("c/bank/<str:bank>/content", banks.media, name="bank-media"),
    path("c/bank/<str:bank>/signal", banks.signals, name="bank-signals"),
    path("c/bank/<str:bank>/content/<int:content>", banks.one_content, name="bank-content"),
    path("c/signal_type", banks.signal_types, name="signal-types"),
    path("c/signal_type/index", banks.index, name="bank-index"),
    path("c/signal_type/<str:name>", banks.one_signal_type, name="signal-type"),
    path("c/content_type", banks.content_types, name="content-types"),
    path("c/exchanges/apis", exchanges.kinds, name="exchange-kinds"),
    path("c/exchanges/api/<str:api>", exchanges.one_kind, name="exchange-kind"),
    path("c/exchanges/api/<str:api>/schema", exchanges.schema, name="exchange-schema"),
    path("c/exchanges", exchanges.all_exchanges, name="exchanges"),
    path("c/exchange/<str:name>", exchanges.one_exchange, name="exchange"),
    path("c/exchange/<str:name>/status", exchanges.status, name="exchange-status"),
]

handler400, handler403, handler404, handler500 = answers.bad_request, answers.refused, answers.not_found, answers.broken
