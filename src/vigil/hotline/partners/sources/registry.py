"""Every kind of source by name: what it needs, and how its feed is opened."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from vigil.base.errors import InputError
from vigil.hotline.partners.sources import delimited, misp
from vigil.hotline.partners.sources.edition import Editions
from vigil.hotline.partners.sources.models import SourceKind
from vigil.hotline.partners.sources.ncmec import Ncmec
from vigil.hotline.partners.sources.record import Feed, Place
from vigil.hotline.partners.sources.stopncii import StopNcii
from vigil.hotline.partners.sources.taxii import Taxii
from vigil.hotline.partners.sources.threatexchange import ThreatExchange
from vigil.hotline.partners.sources.transport import Line, checked_address

MakeLine = Callable[..., Line]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of source. ``needs`` and ``may`` name credentials, ``options`` what else may be said.

    ``signed``  what it says is signed as a whole: that it has nothing any more is then no accident of a server.
    """

    title: str
    open: Callable[[Place, MakeLine, Path], Feed]
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    local: bool = False
    signed: bool = False


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")}


def _ncmec(place: Place, line: MakeLine, state: Path) -> Feed:
    return Ncmec(line(place.address, _basic(place.credentials["user"], place.credentials["password"])))


def _stopncii(place: Place, line: MakeLine, state: Path) -> Feed:
    subscription = {"Ocp-Apim-Subscription-Key": place.credentials["subscription_key"]}
    fetch = line(place.address, {"x-functions-key": place.credentials["fetch_key"], **subscription})
    other = place.credentials.get("feedback_key")
    return StopNcii(fetch, line(place.address, {"x-functions-key": other, **subscription}) if other else None)


def _threatexchange(place: Place, line: MakeLine, state: Path) -> Feed:
    group = str(place.options.get("group", ""))
    return ThreatExchange(line(place.address, secret_in_query=True), group, place.credentials["token"])


def _delimited(place: Place, line: MakeLine, state: Path) -> Feed:
    read = delimited.reader_of(place.address, _maybe(place, line))
    return delimited.Delimited(read, str(place.options.get("type", "")), str(place.options.get("delimiter", "")))


def _misp_feed(place: Place, line: MakeLine, state: Path) -> Feed:
    return misp.MispFeed(misp.reader_of(place.address, _maybe(place, line)))


def _misp(place: Place, line: MakeLine, state: Path) -> Feed:
    return misp.MispServer(line(place.address, {"Authorization": place.credentials["key"]}))


def _taxii(place: Place, line: MakeLine, state: Path) -> Feed:
    if not place.options.get("collection"):
        raise InputError("source_collection", "A TAXII source names its collection.", where="options.collection")
    return Taxii(line(place.address, _web(place)), str(place.options["collection"]))


def _edition(place: Place, line: MakeLine, state: Path) -> Feed:
    root = place.options.get("root")
    turn = line(place.address).turn if "://" in place.address else None
    handed = delimited.read_file(Path(str(root))) if root else None
    return Editions(place.address, state, handed, place.credentials.get("token"), turn)


def _maybe(place: Place, line: MakeLine) -> Line | None:
    return line(place.address, _web(place)) if "://" in place.address else None


def _web(place: Place) -> dict[str, str]:
    """What goes with requests to a plain web server: a token, a name with a password, or nothing."""
    if "token" in place.credentials:
        return {"Authorization": f"Bearer {place.credentials['token']}"}
    if "user" in place.credentials:
        return _basic(place.credentials["user"], place.credentials.get("password", ""))
    return {}


_WEB: Final = ("user", "password", "token")

KINDS: Final[Mapping[SourceKind, Kind]] = MappingProxyType(
    {
        SourceKind.NCMEC: Kind("NCMEC hash sharing v2", _ncmec, ("user", "password")),
        SourceKind.STOPNCII: Kind("StopNCII", _stopncii, ("fetch_key", "subscription_key"), ("feedback_key",)),
        SourceKind.THREATEXCHANGE: Kind("Meta ThreatExchange", _threatexchange, ("token",), options=("group",)),
        SourceKind.DELIMITED: Kind("delimited file", _delimited, (), _WEB, ("type", "delimiter"), local=True),
        SourceKind.MISP_FEED: Kind("MISP feed", _misp_feed, (), _WEB, local=True),
        SourceKind.MISP: Kind("MISP server", _misp, ("key",)),
        SourceKind.TAXII: Kind("TAXII 2.1 collection", _taxii, (), _WEB, ("collection",)),
        SourceKind.EDITION: Kind("editions of another hotline", _edition, (), ("token",), ("root",), local=True, signed=True),
    }
)


def check(kind: SourceKind, place: Place) -> None:
    """Refuse a source that cannot work: an address, a credential or an option that is missing, unknown or unusable."""
    known = KINDS[kind]
    missing = [name for name in known.needs if not place.credentials.get(name)]
    if missing:
        raise InputError(
            "source_credentials_missing", f"This kind of source needs: {', '.join(known.needs)}.", where="credentials",
            mend="Write a JSON object of them into a file and name it with --credentials.",
        )  # fmt: skip
    for given, allowed, where in (
        (place.credentials, (*known.needs, *known.may), "credentials"), (place.options, known.options, "options")
    ):  # fmt: skip
        unknown = sorted(set(given) - set(allowed))
        if unknown:
            says = f"It may have: {', '.join(allowed)}." if allowed else "It has none."
            what = f"There is no such setting here: {', '.join(unknown)}."
            raise InputError("source_setting_unknown", what, where=where, mend=says)
    if any("\n" in str(value) or "\r" in str(value) for value in place.credentials.values()):
        raise InputError("source_credentials_malformed", "A credential has more than one line.", where="credentials")
    if "://" not in place.address and known.local:
        if not Path(place.address).is_absolute():
            raise InputError("source_address", "A path begins at the root of the file system.", where="address")
    else:
        checked_address(place.address, secret=bool(place.credentials))
    _shape(kind, place)


def _shape(kind: SourceKind, place: Place) -> None:
    if kind is SourceKind.THREATEXCHANGE and not str(place.options.get("group", "")).isdigit():
        raise InputError("source_group", "A ThreatExchange source names its privacy group by number.", where="options.group")
    if kind is SourceKind.TAXII and not place.options.get("collection"):
        raise InputError("source_collection", "A TAXII source names its collection.", where="options.collection")
