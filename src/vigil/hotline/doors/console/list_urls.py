"""The part of the console's URL map about lists, proposals, the allow list, partners and alarms."""

from __future__ import annotations

from django.urls import path

from vigil.hotline.doors.console.views import delisting, entries, lists, partners

urlpatterns = [
    path("lists/", lists.lists, name="lists"),
    path("lists/new/", lists.list_new, name="list_new"),
    path("lists/<str:name>/", lists.list_page, name="list"),
    path("lists/<str:name>/policy/", lists.list_edit, name="list_edit"),
    path("lists/<str:name>/words/", lists.words_ask, name="words_ask"),
    path("lists/<str:name>/words/file/", lists.words_file, name="words_file"),
    path("lists/<str:name>/propose/<str:signal>/", lists.propose, name="propose"),
    path("entries/search/", lists.search, name="entry_search"),
    path("entries/<int:number>/preview/", entries.preview_entry, name="entry_preview"),
    path("entries/<int:number>/change/", entries.change, name="entry_change"),
    path("entries/<int:number>/approval/", entries.approve, name="entry_approve"),
    path("entries/<int:number>/by-policy/", delisting.delisting, name="delisting"),
    path("entries/<int:number>/by-policy/ask/", delisting.ask, name="delisting_ask"),
    path("entries/<int:number>/by-policy/now/", delisting.carry_out, name="delisting_carry_out"),
    path("entries/<int:number>/hold/", entries.hold, name="entry_hold"),
    path("entries/<int:number>/release/", entries.release, name="entry_release"),
    path("proposals/", lists.proposals, name="proposals"),
    path("proposals/<uuid:pk>/", lists.proposal, name="proposal"),
    path("proposals/<uuid:pk>/show/", lists.proposal_show, name="proposal_show"),
    path("proposals/<uuid:pk>/decision/", lists.proposal_decide, name="proposal_decide"),
    path("allow/", lists.allow, name="allow"),
    path("allow/new/", lists.allow_new, name="allow_new"),
    path("allow/<uuid:pk>/", lists.allow_row, name="allow_row"),
    path("allow/<uuid:pk>/review/", lists.allow_review, name="allow_review"),
    path("partners/", partners.partners_page, name="partners"),
    path("partners/new/", partners.partner_new, name="partner_new"),
    path("partners/<uuid:pk>/", partners.partner, name="partner"),
    path("partners/<uuid:pk>/agreement/", partners.agreement_new, name="agreement_new"),
    path("partners/<uuid:pk>/key/", partners.recipient_new, name="recipient_new"),
    path("partner-keys/<uuid:pk>/", partners.recipient, name="recipient"),
    path("partner-keys/<uuid:pk>/taken-up/", partners.recipient_take_up, name="recipient_take_up"),
    path("partner-keys/<uuid:pk>/approval/", partners.recipient_approve, name="recipient_approve"),
    path("partner-keys/<uuid:pk>/refusal/", partners.recipient_refuse, name="recipient_refuse"),
    path("partners/<uuid:pk>/stop/", partners.partner_stop, name="partner_stop"),
    path("partners/<uuid:pk>/resume/", partners.partner_resume, name="partner_resume"),
    path("agreements/<uuid:pk>/", partners.agreement, name="agreement"),
    path("agreements/<uuid:pk>/people/", partners.agreement_people, name="agreement_people"),
    path("agreements/<uuid:pk>/approval/", partners.agreement_approve, name="agreement_approve"),
    path("agreements/<uuid:pk>/end/", partners.agreement_end, name="agreement_end"),
    path("alarms/", partners.alarms, name="alarms"),
    path("alarms/<uuid:pk>/", partners.alarm, name="alarm"),
    path("alarms/<uuid:pk>/taken-up/", partners.alarm_see, name="alarm_see"),
]
