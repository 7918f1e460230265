"""Query parameters that say where a visitor came from and never which page is shown. Used for ``query_set`` entries only.

The set is versioned, and the version is part of the key: an entry built with one set is never compared with another.
Names are compared exactly. Sources: the vendors' own public documentation of their campaign tags.
"""

from __future__ import annotations

from typing import Final

TRACKING_VERSION: Final = 1
TRACKING: Final[frozenset[str]] = frozenset(
    {
        "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id", "utm_name", "utm_cid",
        "utm_reader", "utm_viz_id", "utm_pubreferrer", "utm_swu", "utm_source_platform", "utm_creative_format",
        "utm_marketing_tactic", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "gad_source", "gad_campaignid",
        "_ga", "_gl", "srsltid", "fbclid", "fb_action_ids", "fb_action_types", "fb_source", "fb_ref", "igsh", "igshid",
        "msclkid", "twclid", "ttclid", "li_fat_id", "epik", "rdt_cid", "ScCid", "yclid", "ysclid", "_openstat", "mc_cid",
        "mc_eid", "mkt_tok", "_hsenc", "_hsmi", "__hssc", "__hstc", "__hsfp", "hsCtaTracking", "vero_id", "vero_conv",
        "oly_anon_id", "oly_enc_id", "wickedid", "s_cid", "irclickid", "zanpid", "pk_campaign", "pk_kwd", "pk_source",
        "pk_medium", "pk_content", "pk_cid", "piwik_campaign", "piwik_kwd", "mtm_campaign", "mtm_keyword", "mtm_source",
        "mtm_medium", "mtm_content", "mtm_cid", "mtm_group", "mtm_placement", "matomo_campaign", "matomo_kwd",
    }
)  # fmt: skip


def query_set(query: str) -> str:
    """The pairs of a query without tracking parameters, sorted; empty pairs are dropped, repeated ones stay."""
    pairs = (pair for pair in query.split("&") if pair)
    return "&".join(sorted(pair for pair in pairs if pair.partition("=")[0] not in TRACKING))
