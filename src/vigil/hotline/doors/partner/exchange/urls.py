"""The addresses of the forms, below ``/exchange/`` at the partner door."""

from __future__ import annotations

from django.urls import path

from vigil.hotline.doors.partner.exchange import ncmec, shapes, taxii

urlpatterns = [
    path("", shapes.index, name="exchange-index"),
    path("ncmec/<str:name>/v2/status", ncmec.status, name="ncmec-status"),
    path("ncmec/<str:name>/v2/members", ncmec.members, name="ncmec-members"),
    path("ncmec/<str:name>/v2/entries", ncmec.entries, name="ncmec-entries"),
    path("ncmec/<str:name>/v2/feedback/<str:kind>/reasons", ncmec.reasons, name="ncmec-reasons"),
    path("ncmec/<str:name>/v2/entries/<int:member>/<str:entry>/<str:kind>/feedback", ncmec.feedback, name="ncmec-feedback"),
    path("ncmec/<str:name>/left.csv", ncmec.left_csv, name="ncmec-left"),
    path("taxii/", taxii.discovery, name="taxii-discovery"),
    path("taxii/api/", taxii.api_root, name="taxii-root"),
    path("taxii/api/collections/", taxii.collections, name="taxii-collections"),
    path("taxii/api/collections/<str:known>/", taxii.collection, name="taxii-collection"),
    path("taxii/api/collections/<str:known>/objects/", taxii.objects, name="taxii-objects"),
    path("taxii/api/collections/<str:known>/manifest/", taxii.manifest, name="taxii-manifest"),
    path("taxii/api/collections/<str:known>/objects/<str:wanted>/", taxii.one_object, name="taxii-object"),
    path("taxii/api/collections/<str:known>/objects/<str:wanted>/versions/", taxii.versions, name="taxii-versions"),
    path("taxii/api/collections/<str:known>/left.csv", taxii.left_csv, name="taxii-left"),
    path("stopncii/<str:name>/FetchHashes", shapes.fetch_hashes, name="stopncii-hashes"),
    path("stopncii/<str:name>/left.csv", shapes.ncii_left, name="stopncii-left"),
    path("threatexchange/<int:group>/threat_updates/", shapes.threat_updates, name="threat-updates"),
    path("threatexchange/<int:group>/left.csv", shapes.threat_left, name="threat-left"),
    path("misp/left.csv", shapes.misp_left, name="misp-left"),
    path("misp/<str:name>", shapes.misp_file, name="misp-file"),
]
