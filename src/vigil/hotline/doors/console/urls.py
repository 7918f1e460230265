"""The URL map of the console. Addresses hold ids and numbers only, never content."""

from __future__ import annotations

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.webauthn import views as webauthn
from allauth.socialaccount.providers.openid_connect import views as openid_connect
from django.urls import include, path

from vigil.hotline.doors import errors
from vigil.hotline.doors.console.accounts import AddKey, RemoveKey, SetUpSecondFactor
from vigil.hotline.doors.console.views import (
    appeals,
    approvals,
    banks,
    case,
    casework,
    elevation,
    emergency_listing,
    entries,
    evidence,
    files,
    holds,
    oversight,
    publishing,
    quality,
    queue,
    restrictions,
    retention,
    schemes,
    search,
    several,
    triage,
    wellbeing,
)
from vigil.hotline.doors.console.views import imported as imported_views
from vigil.hotline.doors.console.views import sources as source_views

# Only these of allauth's views: nobody signs up, resets a password by mail or takes their second factor away here.
# Their rules stand in the setting ACCESS_RULES.
ACCOUNT = [
    path("sign-in/", account.login, name="account_login"),
    path("sign-out/", account.logout, name="account_logout"),
    path("closed/", account.account_inactive, name="account_inactive"),
    path("password/", account.password_change, name="account_change_password"),
    path("again/", account.reauthenticate, name="account_reauthenticate"),
    path("code/", mfa.authenticate, name="mfa_authenticate"),
    path("code/again/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path("second-step/", mfa.index, name="mfa_index"),
    path("second-step/set-up/", SetUpSecondFactor.as_view(), name="mfa_activate_totp"),
    path("keys/add/", AddKey.as_view(), name="mfa_add_webauthn"),
    path("keys/<int:pk>/remove/", RemoveKey.as_view(), name="mfa_remove_webauthn"),
    path("keys/again/", webauthn.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path("sign-on/<slug:provider_id>/", openid_connect.login, name="openid_connect_login"),
    path("sign-on/<slug:provider_id>/back/", openid_connect.callback, name="openid_connect_callback"),
    path("recovery-codes/", recovery_codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("recovery-codes/new/", recovery_codes.generate_recovery_codes, name="mfa_generate_recovery_codes"),
]

CASE = [
    path("", case.case, name="case"),
    path("take/", casework.take, name="take"),
    path("release/", casework.release, name="release"),
    path("reopen/", casework.reopen, name="reopen"),
    path("priority/", casework.prioritise, name="prioritise"),
    path("close/", casework.close, name="close"),
    path("show/", casework.reveal, name="reveal"),
    path("capture/", casework.capture, name="capture"),
    path("capture/state/", casework.capture_state, name="capture_state"),
    path("file/", casework.hash_file, name="hash_file"),
    path("assessment/", casework.assess, name="assess"),
    path("listing/", casework.decide, name="decide"),
    path("people/", restrictions.people, name="case_people"),
    path("people/restrict/", restrictions.restrict, name="case_restrict"),
    path("people/let-in/", restrictions.let_in, name="case_let_in"),
    path("people/take-out/", restrictions.take_out, name="case_take_out"),
    path("people/lift/", restrictions.lift, name="case_lift"),
    path("brands/<uuid:likeness>/", triage.brand, name="case_brand"),
    path("contact/", retention.contact, name="contact"),
    path("contact/open/", retention.contact_open, name="contact_open"),
    path("files/<uuid:media>/", files.file, name="file"),
    path("files/<uuid:media>/look/", files.look, name="look"),
    path("files/<uuid:media>/assessment/", files.grade, name="grade"),
    path("holds/", holds.case_holds, name="case_holds"),
    path("holds/set/", holds.set_hold, name="hold_set"),
    path("holds/clearance/", holds.clearance, name="clearance"),
    path("holds/<uuid:hold>/extend/", holds.extend, name="hold_extend"),
    path("holds/<uuid:hold>/ask/", holds.ask_release, name="hold_ask"),
    path("holds/<uuid:hold>/release/", holds.release, name="case_hold_release"),
    path("out-of-turn/", emergency_listing.emergency, name="case_emergency"),
    path("out-of-turn/ask/", emergency_listing.ask, name="emergency_ask"),
    path("out-of-turn/list/", emergency_listing.carry_out, name="emergency_carry_out"),
    path("evidence/", evidence.evidence, name="evidence"),
    path("evidence/<uuid:key>/verify/", evidence.verify, name="evidence_verify"),
    path("evidence/<uuid:key>/keep/", evidence.keep, name="evidence_keep"),
    path("evidence/<uuid:key>/ask/", evidence.ask_export, name="evidence_ask"),
    path("evidence/<uuid:key>/export/", evidence.export, name="evidence_export"),
]

SOURCES = [
    path("sources/", source_views.all_sources, name="sources"),
    path("sources/<uuid:pk>/", source_views.source, name="source"),
    path("sources/<uuid:pk>/propose/", source_views.propose_policy, name="propose_policy"),
    path("sources/<uuid:pk>/approve/", source_views.approve_policy, name="approve_policy"),
    path("sources/<uuid:pk>/end/", source_views.end_policy, name="end_policy"),
    path("sources/<uuid:pk>/find/", imported_views.find, name="imported_find"),
    path("sources/entry/<uuid:pk>/", imported_views.imported, name="imported"),
    path("sources/entry/<uuid:pk>/opinion/", imported_views.vote, name="imported_vote"),
]

LISTS = [
    path("entries/", entries.entries, name="entries"),
    path("entries/<int:number>/", entries.entry, name="entry"),
    path("entries/<int:number>/show/", entries.reveal, name="entry_reveal"),
    path("entries/<int:number>/withdraw/", entries.withdraw, name="withdraw"),
    path("entries/<int:number>/review/", entries.review, name="entry_review"),
    path("publish/", publishing.publish, name="publish"),
    path("publish/now/", publishing.request_edition, name="request_edition"),
    path("publish/<uuid:pk>/", publishing.publication, name="publication"),
    path("publish/<uuid:pk>/state/", publishing.publication_state, name="publication_state"),
    path("appeals/", appeals.appeals, name="appeals"),
    path("appeals/<uuid:pk>/", appeals.appeal, name="appeal"),
    path("appeals/<uuid:pk>/show/", appeals.reveal, name="appeal_reveal"),
    path("appeals/<uuid:pk>/entry/", appeals.name_entry, name="appeal_entry"),
    path("appeals/<uuid:pk>/decision/", appeals.decide, name="appeal_decide"),
    path("appeals/<uuid:pk>/<str:step>/", appeals.step, name="appeal_step"),
]

REVIEWS = [
    path("holds/", holds.holds, name="holds"),
    path("looks/<uuid:look>/end/", files.look_end, name="look_end"),
    path("schemes/", schemes.schemes, name="schemes"),
    path("schemes/labels/", schemes.import_labels, name="scheme_import"),
    path("schemes/propose/", schemes.propose, name="scheme_propose"),
    path("schemes/recommended/", schemes.propose_recommended, name="policy_recommended"),
    path("schemes/<uuid:pk>/", schemes.mapping, name="mapping"),
    path("schemes/<uuid:pk>/in-force/", schemes.put_in_force, name="put_in_force"),
    path("quality/", quality.quality, name="quality"),
    path("quality/sets/", quality.make_set, name="calibration_make"),
    path("quality/<uuid:pk>/", quality.sample, name="quality_sample"),
    path("quality/<uuid:pk>/check/", quality.check, name="quality_check"),
    path("calibration/", quality.calibration, name="calibration"),
    path("calibration/<uuid:pk>/", quality.answer, name="calibration_answer"),
]

WELLBEING = [
    path("", wellbeing.wellbeing, name="wellbeing"),
    path("break/", wellbeing.take_break, name="take_break"),
    path("swap/", wellbeing.swap, name="swap"),
    path("back/", wellbeing.come_back, name="come_back"),
    path("buddy/", wellbeing.buddy, name="buddy"),
    path("buddy/<uuid:pk>/", wellbeing.buddy_answer, name="buddy_answer"),
    path("preferences/", wellbeing.preferences, name="preferences"),
    path("lead/", wellbeing.lead, name="wellbeing_lead"),
    path("lead/limits/", wellbeing.limits, name="limits"),
]

BANKS = [
    path("", banks.banks, name="banks"),
    path("policy/", banks.propose, name="bank_policy_propose"),
    path("policy/<uuid:pk>/approve/", banks.approve, name="bank_policy_approve"),
]

TWO_PEOPLE = [
    path("", approvals.approvals, name="approvals"),
    path("<uuid:pk>/", approvals.approval, name="approval"),
    path("<uuid:pk>/reason/", approvals.reason, name="approval_reason"),
    path("<uuid:pk>/approve/", approvals.approve, name="approval_approve"),
    path("<uuid:pk>/refuse/", approvals.refuse, name="approval_refuse"),
]

urlpatterns = [
    path("", queue.overview, name="overview"),
    path("healthz", queue.healthz, name="healthz"),
    path("queue/", queue.cases, name="queue"),
    path("queue/next/", queue.take_next, name="take_next"),
    path("queue/filters/keep/", several.keep_filter, name="filter_keep"),
    path("queue/filters/forget/", several.forget_filter, name="filter_forget"),
    path("queue/several/", several.look, name="several"),
    path("queue/several/do/", several.act, name="several_do"),
    path("queue/several/<uuid:pk>/", several.run, name="several_run"),
    path("queue/several/<uuid:pk>/undo/", several.undo, name="several_undo"),
    path("search/", search.search, name="search"),
    path("cases/<uuid:pk>/", include(CASE)),
    path("", include(LISTS)),
    path("", include("vigil.hotline.doors.console.list_urls")),
    path("", include(SOURCES)),
    path("second-person/", include(TWO_PEOPLE)),
    path("emergencies/", triage.emergency_list, name="emergencies"),
    path("emergencies/<uuid:pk>/take/", triage.emergency_see, name="emergency_see"),
    path("emergencies/<uuid:pk>/police/", triage.emergency_pass_on, name="emergency_pass_on"),
    path("closed-by-rule/", triage.closings, name="closings"),
    path("closed-by-rule/<uuid:pk>/", triage.closing_check, name="closing_check"),
    path("children/", triage.children, name="children"),
    path("children/<uuid:pk>/outcome/", triage.child_outcome, name="child_outcome"),
    path("retention/", retention.overview, name="retention"),
    path("retention/holds/", retention.place_hold, name="hold_place"),
    path("retention/holds/<uuid:pk>/release/", retention.release_hold, name="hold_release"),
    path("retention/evidence/<uuid:pk>/", retention.let_go, name="evidence_let_go"),
    path("retention/export/", retention.export_subject, name="subject_export"),
    path("banks/", include(BANKS)),
    path("", include(REVIEWS)),
    path("wellbeing/", include(WELLBEING)),
    path("statistics/", oversight.statistics, name="statistics"),
    path("audit/", oversight.audit, name="audit"),
    path("audit/verify/", oversight.audit_verify, name="audit_verify"),
    path("audit/export/", oversight.audit_export, name="audit_export"),
    path("elevated/", elevation.elevate, name="elevate"),
    path("elevated/end/", elevation.end, name="elevation_end"),
    path("elevated/sessions/", elevation.listing, name="elevations"),
    path("elevated/sessions/<uuid:pk>/reason/", elevation.reason, name="elevation_reason"),
    path("account/", include(ACCOUNT)),
    path("assets/", include("vigil.hotline.doors.design.urls")),
]

handler400, handler403, handler404, handler500 = errors.bad_request, errors.refused, errors.not_found, errors.broken
