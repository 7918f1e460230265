"""The URL map of the partner door."""

from __future__ import annotations

from django.urls import path

from vigil.hotline.doors import errors
from vigil.hotline.doors.health import alive
from vigil.hotline.doors.partner import children, reports, views

urlpatterns = [
    path("v1/counts", views.counts, name="counts"),
    path("v1/reports", reports.report, name="report"),
    path("v1/reports/bulk", reports.bulk, name="report_bulk"),
    path("v1/reports/<str:ref>", reports.state, name="report_state"),
    path("v1/child-cases", children.hand_over, name="child_case"),
    path("v1/child-cases/<str:case_number>", children.outcome, name="child_outcome"),
    path("v1/openapi.json", reports.openapi, name="openapi"),
    path("editions/<str:folder>/<str:name>", views.edition_file, name="edition"),
    path("healthz", alive, name="healthz"),
]

handler400, handler403, handler404, handler500 = errors.bad_request, errors.refused, errors.not_found, errors.broken
