"""The URL map of the partner door."""

from __future__ import annotations

from django.urls import path

from vigil.hotline.doors import errors
from vigil.hotline.doors.health import alive
from vigil.hotline.doors.partner import views

urlpatterns = [
    path("v1/counts", views.counts, name="counts"),
    path("editions/<str:folder>/<str:name>", views.edition_file, name="edition"),
    path("healthz", alive, name="healthz"),
]

handler400, handler403, handler404, handler500 = errors.bad_request, errors.refused, errors.not_found, errors.broken
