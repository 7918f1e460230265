"""The roles of a hotline (facts: data model, section 5)."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    INTAKE = "intake"
    ANALYST = "analyst"
    IMAGE_ASSESSOR = "image_assessor"
    SECOND_REVIEWER = "second_reviewer"
    QA = "qa"
    SUPERVISOR = "supervisor"
    CHILD_DESK = "child_desk"  # works on what children reported about themselves; nobody else sees those cases
    NOTICES = "notices"
    POLICE_LIAISON = "police_liaison"
    LIST_PUBLISHER = "list_publisher"
    SCHEME_OWNER = "scheme_owner"
    WELFARE = "welfare"
    DATA_PROTECTION = "data_protection"
    AUDITOR = "auditor"
    SYSADMIN = "sysadmin"  # runs the machines; sees no content
