"""``vigil edition``: build, export, show, compare, verify and pull editions; make and describe signing keys."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from vigil.base.clock import SystemClock, text_of
from vigil.base.errors import InputError, VigilError
from vigil.base.files import write_atomically
from vigil.cli.edition_trace import trace
from vigil.editions.build import build_edition
from vigil.editions.ceremony import Change as KeyChange
from vigil.editions.ceremony import Elsewhere, revoke_keys, rotate_keys
from vigil.editions.cipher import Identity, new_identity
from vigil.editions.client import EditionClient
from vigil.editions.difference import Change, Difference, difference
from vigil.editions.draft import publish_draft, read_draft, root_of, sign_draft, write_draft
from vigil.editions.export import FORMATS, Exported, Occasion, export_as, format_named, leftovers_csv
from vigil.editions.fetch import TlsFiles
from vigil.editions.keys import KeyRing, create_keys, describe_keys, signer_at, write_new
from vigil.editions.limits import MANIFEST_BYTES
from vigil.editions.load import counts_of, load_edition
from vigil.editions.model import EditionContents
from vigil.editions.publish import current_number, publish
from vigil.editions.shares import shares_by_list
from vigil.editions.source import read_source
from vigil.editions.verify import VerifyReport
from vigil.editions.verify import verify as verify_folder

app = typer.Typer(
    add_completion=False, help="Build, export, show, compare, verify and pull editions; manage keys.", no_args_is_help=True
)
keys = typer.Typer(add_completion=False, help="Signing keys: for the list office only.", no_args_is_help=True)
app.add_typer(keys, name="keys")
app.command("trace")(trace)

TOKEN_VARIABLE: Final = "VIGIL_EDITION_TOKEN"  # noqa: S105  the name of a variable
SHOWN_CHANGES: Final = 20

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Folder = Annotated[Path, typer.Argument(help="An edition folder, or the state folder of a client.", metavar="DIR")]
KeyFolder = Annotated[Path, typer.Argument(help="The key folder.", metavar="DIR")]
KeyNames = Annotated[list[str], typer.Argument(help="One or more of: root targets release snapshot timestamp.", metavar="ROLE…")]
RootKeys = Annotated[list[Path], typer.Option("--root-key", help="File of an offline root key; two are needed.", metavar="FILE")]
IdentityFile = Annotated[Path | None, typer.Option("--identity", help="File of the identity that opens a partner's copy.")]
RootFile = Annotated[Path | None, typer.Option("--root", help="The root file that the hotline handed over.")]


@keys.command("init")
def keys_init(
    folder: Annotated[Path, typer.Argument(help="A folder that is empty or not there yet.", metavar="DIR")],
    as_json: AsJson = False,
) -> None:
    """Make signing keys and a root, and say which of them must leave this machine."""
    create_keys(folder, SystemClock().now())
    if as_json:
        return _print_json(_key_facts(folder))
    typer.echo(f"Keys made in {folder}.")
    typer.echo(f"Give every partner {folder / '1.root.json'}, in person or by a way they trust.")
    typer.echo(f"Move the three files of {folder / 'offline'} to three people's safes: the office does not need them.")
    typer.echo(f"{folder / 'release.pem'} may stay, or go to the person who releases editions (vigil edition sign).")
    return None


@keys.command("rotate")
def keys_rotate(
    folder: KeyFolder,
    names: KeyNames,
    root_keys: RootKeys,
    public: Annotated[Path | None, typer.Option("--public", help="Public part (PEM) of a new key kept in a device.")] = None,
    uri: Annotated[str | None, typer.Option("--uri", help="Address of that key's signer, e.g. hsm:…")] = None,
    as_json: AsJson = False,
) -> None:
    """Replace keys that were lost or are old: sign the next root with the offline root keys."""
    if (public is None) != (uri is None):
        raise InputError("elsewhere_half", "A key kept elsewhere needs both --public and --uri.")
    elsewhere = None
    if public is not None and uri is not None:
        elsewhere = Elsewhere(_read_small(public, "key_unreadable", "The public key cannot be read."), uri)
    _print_change(rotate_keys(folder, names, root_keys, SystemClock().now(), elsewhere), as_json)


@keys.command("revoke")
def keys_revoke(folder: KeyFolder, names: KeyNames, root_keys: RootKeys, as_json: AsJson = False) -> None:
    """Replace keys that somebody else may hold; snapshot and timestamp always with them, so that nodes forget false versions."""
    _print_change(revoke_keys(folder, names, root_keys, SystemClock().now()), as_json)


@keys.command("show")
def keys_show(
    folder: Annotated[Path, typer.Argument(help="A key folder.", metavar="DIR")], as_json: AsJson = False
) -> None:
    """Describe a key folder; no key is read."""
    facts = _key_facts(folder)
    if as_json:
        return _print_json(facts)
    typer.echo(f"Root version {facts['root_version']}, expires {facts['root_expires']}.")
    for role, ids in facts["key_ids"].items():
        typer.echo(f"{role:10} {facts['threshold'][role]} of {len(ids)}: {' '.join(each[:12] for each in ids)}")
    if facts["offline_here"]:
        typer.echo(f"{facts['offline_here']} root keys are still here: move them to other people's safes.")
    return None


@app.command("build")
def build(
    source: Annotated[Path, typer.Argument(help="Entries: .csv or .jsonl, see docs/reference/exports.md", metavar="SOURCE")],
    out: Annotated[Path, typer.Option("--out", help="The edition folder to publish into.", metavar="DIR")],
    key_folder: Annotated[Path, typer.Option("--keys", help="The key folder.", metavar="DIR")],
    number: Annotated[int | None, typer.Option("--number", help="Otherwise the next one.", min=1)] = None,
    valid_hours: Annotated[int, typer.Option(help="Hours until nodes raise an alarm.", min=1)] = 24,
    hard_hours: Annotated[int, typer.Option(help="Hours until nodes stop blocking whole hosts.", min=1)] = 168,
    draft: Annotated[Path | None, typer.Option("--draft", help="Write a draft here to be signed, publish nothing.")] = None,
    by_list: Annotated[bool, typer.Option("--by-list", help="Also publish each list alone, under lists/NAME.")] = False,
    as_json: AsJson = False,
) -> None:
    """Build an edition from a file of entries, sign it and publish it into a folder."""
    now = SystemClock().now()
    ring, contents, previous = KeyRing.load(key_folder), read_source(source), current_number(out)
    built = build_edition(
        contents,
        number=number or (previous or 0) + 1,
        previous=previous,
        issued_at=now,
        valid_hours=valid_hours,
        hard_hours=hard_hours,
    )
    lists = shares_by_list(contents) if by_list else ()
    if draft is None:
        publish(out, built, ring, now, lists=lists)
    else:
        write_draft(draft, built, ring, now, out, lists=lists)
    facts = {"edition": built.number, "previous": previous, "urls": len(contents.urls), "hashes": len(contents.hashes)}
    if as_json:
        return _print_json(facts)
    if draft is not None:
        typer.echo(f"Draft of edition {built.number} in {draft}; now: vigil edition sign {draft} --key … --root …")
        return None
    typer.echo(f"Edition {built.number} is in force in {out}. Addresses: {facts['urls']}; hashes: {facts['hashes']}.")
    return None


@app.command("sign")
def sign(
    draft: Annotated[Path, typer.Argument(help="A draft made with build --draft.", metavar="DRAFT")],
    key: Annotated[Path, typer.Option("--key", help="The release person's key.", metavar="FILE")],
    root: Annotated[Path, typer.Option("--root", help="The newest root file.", metavar="FILE")],
    against: Annotated[Path | None, typer.Option("--against", help="The edition in force, to see what changes.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking.")] = False,
) -> None:
    """Look at a draft, see what it changes, and sign it with the release key."""
    edition = read_draft(draft)
    typer.echo(f"Draft of edition {edition.number}, after {edition.previous}.")
    for name, count in counts_of(edition).items():
        typer.echo(f"rows   {name:12} {count}")
    if against is not None:
        _print_difference(difference(load_edition(against), edition))
    if not yes and not typer.confirm("Sign it?"):
        raise typer.Exit(1)
    trusted = root_of(_read_small(root, "root_unreadable", "The root file cannot be read."))
    count = sign_draft(draft, signer_at(key, trusted), trusted)
    typer.echo(f"Signed: {count} of {trusted.roles['targets'].threshold} signatures.")


@app.command("publish")
def publish_a_draft(
    draft: Annotated[Path, typer.Argument(help="A draft that both have signed.", metavar="DRAFT")],
    out: Annotated[Path, typer.Option("--out", help="The edition folder to publish into.", metavar="DIR")],
    key_folder: Annotated[Path, typer.Option("--keys", help="The key folder.", metavar="DIR")],
) -> None:
    """Put a draft into force that the build and the release person have signed."""
    number = publish_draft(out, draft, KeyRing.load(key_folder), SystemClock().now())
    typer.echo(f"Edition {number} is in force in {out}.")


@app.command("show")
def show(folder: Folder, identity: IdentityFile = None, as_json: AsJson = False) -> None:
    """What an edition says about itself; signatures are not checked here (see verify)."""
    edition = load_edition(folder, _identity(identity))
    facts: dict[str, Any] = {
        "edition": edition.number,
        "previous": edition.previous,
        "issued_at": text_of(edition.issued_at),
        "valid_until": text_of(edition.valid_until),
        "hard_until": text_of(edition.hard_until),
        "canon": edition.canon,
        "lists": [asdict(info) for info in edition.lists],
        "counts": dict(counts_of(edition)),
        "audit": asdict(edition.audit) if edition.audit else None,
    }
    if as_json:
        return _print_json(facts)
    typer.echo(f"Edition {edition.number}, issued {facts['issued_at']}, valid until {facts['valid_until']}.")
    for info in edition.lists:
        typer.echo(f"list   {info.name} ({info.kind}; {' '.join(info.jurisdictions) or 'no jurisdiction named'})")
    for name, count in facts["counts"].items():
        typer.echo(f"rows   {name:12} {count}")
    return None


@app.command("diff")
def diff(
    before: Annotated[Path, typer.Argument(help="The older edition.", metavar="A")],
    after: Annotated[Path, typer.Argument(help="The newer edition.", metavar="B")],
    identity: IdentityFile = None,
    as_json: AsJson = False,
) -> None:
    """Which entries were added, removed or changed, by number."""
    opener = _identity(identity)
    found = difference(load_edition(before, opener), load_edition(after, opener))
    if as_json:
        return _print_json(asdict(found))
    _print_difference(found)
    return None


@app.command("verify")
def verify(
    folder: Annotated[Path, typer.Argument(help="A published edition folder.", metavar="DIR")],
    root: RootFile = None,
    as_json: AsJson = False,
) -> None:
    """Check an edition folder whole: every byte, every signature, nothing missing, nothing too much."""
    if not folder.is_dir():
        raise InputError("not_an_edition", "There is no such folder.", where=str(folder))
    report = verify_folder(folder, root=_read_root(root), now=SystemClock().now())
    if as_json:
        _print_json(asdict(report))
    else:
        _print_report(report)
    raise typer.Exit(0 if report.ok else 1)


@app.command("export")
def export(
    source: Annotated[Path, typer.Argument(help="Entries: .csv or .jsonl, see docs/reference/exports.md", metavar="SOURCE")],
    form: Annotated[str, typer.Option("--format", help=f"One of: {', '.join(FORMATS)}.", metavar="FORMAT")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the files of the format.", metavar="DIR")],
    number: Annotated[int, typer.Option("--number", help="Number of the edition with the same entries.", min=1)],
    lists: Annotated[list[str] | None, typer.Option("--list", help="Only this list; may be repeated.")] = None,
    before: Annotated[Path | None, typer.Option(help="Entries of the export before: what is gone is withdrawn.")] = None,
    report: Annotated[Path | None, typer.Option(help="CSV file for what the format cannot express.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the entries in the form that other software reads, and say what that form cannot express.

    Exports hold plain entries and are made from the same file that an edition is built from: an edition holds digests.
    """
    chosen, now = format_named(form), SystemClock().now()
    earlier = None if before is None else _chosen_lists(read_source(before), lists, known_only=False)
    contents = _chosen_lists(read_source(source), lists, known_only=True)
    made = export_as(form, contents, Occasion(number, now, earlier))
    _write_export(out, made, report)
    facts: dict[str, Any] = {"format": form, "edition": number, "files": sorted(made.files)}
    facts["left"] = [asdict(each) for each in made.left]
    facts["export_again_before"] = text_of(made.first_expiry) if made.first_expiry else None
    if as_json:
        return _print_json(facts)
    typer.echo(f"{chosen.title}: {' '.join(facts['files'])} in {out}.")
    for (reason, partly), count in sorted(Counter((x.reason.value, x.partly) for x in made.left).items()):
        typer.echo(f"{'in part' if partly else 'left out':8} {count:8} {reason}")
    if made.first_expiry:
        typer.echo(f"An entry expires at {facts['export_again_before']}: export again by then.")
    return None


@app.command("pull")
def pull(
    source: Annotated[str, typer.Argument(help="https://… of an edition folder, s3://…, or a local one.", metavar="SOURCE")],
    state: Annotated[Path, typer.Option("--state", help="State folder of this client; keep it.", metavar="DIR")],
    root: RootFile = None,
    token_file: Annotated[Path | None, typer.Option(help=f"File with the token; or set {TOKEN_VARIABLE}.")] = None,
    part: Annotated[str, typer.Option(help="lists/NAME or partners/ID; otherwise the whole edition.")] = "",
    identity: IdentityFile = None,
    ca: Annotated[Path | None, typer.Option(help="Certificates (PEM) that the host's must lead to.")] = None,
    certificate: Annotated[Path | None, typer.Option(help="Our certificate (PEM), for hosts that ask for one.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its key (PEM).")] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch the newest edition, check it, and bring it into force in the state folder."""
    client = EditionClient(
        source,
        state,
        _read_root(root),
        _token(token_file),
        part=part,
        identity=_identity(identity),
        tls=TlsFiles(ca, certificate, key),
    )
    pulled = client.pull(SystemClock().now())
    if as_json:
        facts = {"edition": pulled.number, "folder": str(pulled.folder), "fresh": pulled.fresh, "deltas": pulled.deltas}
        return _print_json(facts)
    typer.echo(f"Edition {pulled.number} {'is now' if pulled.fresh else 'stays'} in force: {pulled.folder}")
    return None


@app.command("identity")
def identity(
    file: Annotated[Path, typer.Argument(help="A file that is not there yet.", metavar="FILE")],
) -> None:
    """Make the secret identity of a partner, and print the public key that the hotline needs."""
    text = new_identity()
    try:
        write_new(file, f"{text}\n".encode(), 0o600)
    except FileExistsError as error:
        raise InputError(
            "identity_exists", "There is such a file already; an identity is never overwritten.", where=str(file),
            mend="Name a new file.",
        ) from error  # fmt: skip
    except OSError as error:
        raise InputError("identity_unwritable", "The identity cannot be written.", where=str(file)) from error
    typer.echo(Identity(text).recipient)


@app.command("mirror")
def mirror_into(
    folder: Annotated[Path, typer.Argument(help="A published edition folder.", metavar="DIR")],
    target: Annotated[str, typer.Argument(help="s3://BUCKET/PREFIX; AWS_ENDPOINT_URL names another store.", metavar="TARGET")],
    every: Annotated[float | None, typer.Option(help="Go on, and look again after so many seconds.", min=0.2)] = None,
    as_json: AsJson = False,
) -> None:
    """Copy an edition folder into an S3 store, so that readers there see the old state or the new, never half.

    With --every a store that does not answer ends nothing: it is told, and tried again after ever longer pauses.
    """
    from vigil.editions.mirror import Failed, mirror, mirrored_again  # the store's library is not everywhere

    if every is None:
        return _tell_mirrored(mirror(folder, target), as_json=as_json, always=True)
    away = False
    for done, pause in mirrored_again(lambda: mirror(folder, target), every):
        if isinstance(done, Failed):
            _tell_failed(done.error, done.times, pause, as_json=as_json)
        else:
            _tell_mirrored(done, as_json=as_json, always=away)
        away = isinstance(done, Failed)
        time.sleep(pause)
    return None


def _tell_mirrored(done: Any, *, as_json: bool, always: bool) -> None:
    """What a copy did; a copy that had nothing to do says so only where it is asked to."""
    if as_json:
        _print_json(asdict(done))
    elif done.sent or done.removed or always:
        typer.echo(f"Files sent: {done.sent}; removed: {done.removed}.")


def _tell_failed(error: VigilError, times: int, pause: float, *, as_json: bool) -> None:
    """A copy that failed: why, and when the next is tried. What lies in the store stays as it was."""
    if as_json:
        _print_json({"error": error.code, "failed": times, "again_in": pause})
    typer.echo(f"{error} The store keeps what it had; trying again in {pause:g} s (failures in a row: {times}).", err=True)


def _chosen_lists(contents: EditionContents, names: list[str] | None, *, known_only: bool) -> EditionContents:
    """The entries of the named lists, or of all. With ``known_only`` a name that is not there is refused."""
    if not names:
        return contents
    if known_only and not set(names) <= {info.name for info in contents.lists}:
        raise InputError("list_unknown", "The file of entries has no list of that name.", where="--list")
    return EditionContents(
        tuple(info for info in contents.lists if info.name in names),
        tuple(entry for entry in contents.urls if entry.list in names),
        tuple(entry for entry in contents.hashes if entry.list in names),
    )


def _write_export(out: Path, made: Exported, report: Path | None) -> None:
    """The files, readable by their owner only, and the report."""
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, data in made.files.items():
            write_atomically(out / name, data, mode=0o600)
        if report is not None:
            write_atomically(report, leftovers_csv(made.left), mode=0o600)
    except OSError as error:
        raise InputError("export_unwritable", "The export cannot be written.", where=str(out)) from error


def _print_difference(found: Difference) -> None:
    typer.echo(f"From edition {found.before} to edition {found.after}:")
    for word, changes in (("added", found.added), ("removed", found.removed), ("changed", found.changed)):
        typer.echo(f"{word:8} {len(changes)}{_some(changes)}")
    if found.lists_changed:
        typer.echo(f"lists that differ: {' '.join(found.lists_changed)}")


def _print_change(change: KeyChange, as_json: bool) -> None:
    if as_json:
        return _print_json(asdict(change) | {"written": [str(path) for path in change.written]})
    typer.echo(f"Root {change.root_version} is signed; new: {' '.join(change.names)}.")
    for path in change.written:
        typer.echo(f"written  {path}")
    typer.echo("Start the office again, then publish an edition: nodes follow with their next poll, without hands.")
    return None


def _key_facts(folder: Path) -> dict[str, Any]:
    facts = describe_keys(folder)
    return asdict(facts) | {"root_expires": text_of(facts.root_expires)}


def _some(changes: tuple[Change, ...]) -> str:
    shown = " ".join(f"{each.list}/{each.entry}" for each in changes[:SHOWN_CHANGES])
    more = " …" if len(changes) > SHOWN_CHANGES else ""
    return f": {shown}{more}" if changes else ""


def _print_report(report: VerifyReport) -> None:
    if report.ok:
        typer.echo(f"Edition {report.number} is whole and sound.")
    for problem in report.problems:
        typer.echo(f"{problem.file}: {problem.what} [{problem.code}]", err=True)
    typer.echo(report.trusted_root_note, err=True)


def _read_root(path: Path | None) -> bytes | None:
    return None if path is None else _read_small(path, "root_unreadable", "The root file cannot be read.")


def _identity(path: Path | None) -> Identity | None:
    if path is None:
        return None
    text = _read_small(path, "identity_unreadable", "The file of the identity cannot be read.")
    return Identity(text.decode("ascii", "replace"))


def _token(path: Path | None) -> str | None:
    if path is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    return _read_small(path, "token_unreadable", "The token file cannot be read.").decode("ascii", "replace").strip()


def _read_small(path: Path, code: str, what: str) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MANIFEST_BYTES.value)
    except OSError as error:
        raise InputError(code, what, where=str(path)) from error


def _print_json(document: Any) -> None:
    typer.echo(json.dumps(document))
