"""``vigil hotline``: administer the case system. Configuration: the file that VIGIL_HOTLINE_CONFIG names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from vigil.base.clock import text_of
from vigil.base.errors import InputError, RefusedError
from vigil.cli import hotline_banks, hotline_capture, hotline_retention, hotline_senders, source
from vigil.cli.hotline_texts import texts
from vigil.cli.partners import list_export, list_terms, partner
from vigil.hotline.access.permissions import reference
from vigil.hotline.access.roles import Role
from vigil.hotline.management import boot, loops, serving
from vigil.hotline.settings import config, keyfiles

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Administer the case system.")
user = typer.Typer(add_completion=False, no_args_is_help=True, help="Members of staff and their roles.")
node = typer.Typer(add_completion=False, no_args_is_help=True, help="Enforcement nodes and their tokens.")
lists = typer.Typer(add_completion=False, no_args_is_help=True, help="Lists that editions hold.")
audit = typer.Typer(add_completion=False, no_args_is_help=True, help="The audit log.")
app.command("texts")(texts)
app.add_typer(user, name="user")
app.add_typer(node, name="node")
app.add_typer(lists, name="list")
app.add_typer(audit, name="audit")
app.add_typer(partner, name="partner")
lists.command("export")(list_export)
lists.command("terms")(list_terms)
app.add_typer(hotline_senders.app, name="sender")
app.add_typer(hotline_capture.app, name="capture")
app.add_typer(hotline_retention.retention, name="retention")
app.add_typer(hotline_retention.mail, name="mail")
app.add_typer(hotline_banks.app, name="bank")
app.add_typer(source.app, name="source")

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Roles = Annotated[list[Role] | None, typer.Option("--role", help="A role; repeat for several.")]


def show(rows: list[dict[str, Any]], *, as_json: bool, line: str) -> None:
    """Print rows as JSON, or each through the template ``line``."""
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        typer.echo(line.format(**row))


# ---- the installation


@app.command()
def secrets() -> None:
    """Create the secrets that are missing, in the folder that the configuration names."""
    keyfiles.create_secrets(Path(config.current().secrets))
    typer.echo("secrets are in place")


@app.command()
def migrate(
    check: Annotated[bool, typer.Option("--check", help="Only say whether it is needed (exit status 1).")] = False,
) -> None:
    """Bring the database to the present shape."""
    boot.start("worker")
    if check:
        missing = boot.unapplied()
        for name in missing:
            typer.echo(f"not applied: {name}")
        raise typer.Exit(1 if missing else 0)
    boot.migrate()
    typer.echo("database is up to date")


@app.command()
def permissions() -> None:
    """The permission table, as the page docs/reference/permissions.md."""
    typer.echo(reference(), nl=False)


# ---- processes


@app.command()
def serve(door: Annotated[str, typer.Argument(help="public, console or partner")]) -> None:
    """Serve one door."""
    if door not in {"public", "console", "partner"}:
        raise InputError("no_such_door", "There is no such door.", where=door, mend="Choose public, console or partner.")
    serving.serve(door)


@app.command()
def worker() -> None:
    """Run captures, through the configured proxy."""
    loops.run_worker()


@app.command()
def office() -> None:
    """Run the list office, the only process with signing keys (VIGIL_SIGNING_KEYS names their folder)."""
    loops.run_office()


# ---- people


@user.command("add")
def user_add(
    username: str,
    role: Roles = None,
    name: Annotated[str, typer.Option("--name", help="Name shown to colleagues.")] = "",
    totp_secret: Annotated[
        str, typer.Option("--totp-secret", help="Known secret of the second factor, for demonstrations only.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Add a member of staff. The password is printed once; the second factor is set up at the first sign-in."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.audit import people

    if totp_secret and not config.current().demo:
        raise RefusedError("demo_only", "A known second factor is for demonstrations.", where="--totp-secret")
    password = people.new_password()
    added = people.do_add_user(OPERATOR, username, display_name=name, password=password, roles=role or [])
    if totp_secret:
        people.do_set_second_factor(OPERATOR, added, totp_secret)
    row = {"username": added.username, "password": password, "roles": [each.value for each in role or []]}
    show([row], as_json=as_json, line="{username}: password {password}   (shown once; change it at the console)")


@user.command("roles")
def user_roles(username: str, role: Roles = None) -> None:
    """Make these the roles of a person; without any, all are taken away."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.access.queries import user_named
    from vigil.hotline.audit.people import do_set_roles

    do_set_roles(OPERATOR, user_named(username), role or [])
    typer.echo(f"{username}: {', '.join(role or []) or 'no roles'}")


@user.command("password")
def user_password(username: str) -> None:
    """Set a new random password, printed once."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.access.queries import user_named
    from vigil.hotline.audit import people

    password = people.new_password()
    people.do_reset_password(OPERATOR, user_named(username), password)
    typer.echo(f"{username}: password {password}   (shown once)")


@user.command("lost-phone")
def user_lost_phone(username: str) -> None:
    """Remove somebody's second factor; they set up a new one at the next sign-in."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.access.queries import user_named
    from vigil.hotline.audit.people import do_remove_second_factor

    do_remove_second_factor(OPERATOR, user_named(username))
    typer.echo(f"{username}: second factor removed")


def _provider() -> str:
    sign_on = config.current().single_sign_on
    if sign_on is None:
        raise InputError("sign_on_off", "No single sign-on is configured.", mend="See docs/reference/settings.md.")
    return sign_on.provider


@user.command("link")
def user_link(username: str, subject: Annotated[str, typer.Option("--subject", help="The `sub` of their identity.")]) -> None:
    """Let somebody sign in through the configured single sign-on; their second factor is asked all the same."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.access.queries import user_named
    from vigil.hotline.audit.people import do_link_identity

    do_link_identity(OPERATOR, user_named(username), _provider(), subject)
    typer.echo(f"{username}: linked")


@user.command("unlink")
def user_unlink(username: str) -> None:
    """Let somebody no longer sign in through single sign-on; their password stays."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.access.queries import user_named
    from vigil.hotline.audit.people import do_unlink_identity

    do_unlink_identity(OPERATOR, user_named(username), _provider())
    typer.echo(f"{username}: no single sign-on")


@user.command("close")
def user_close(username: str) -> None:
    """Let somebody no longer sign in. Nothing they did is deleted."""
    _set_active(username, active=False)


@user.command("open")
def user_open(username: str) -> None:
    """Let somebody sign in again."""
    _set_active(username, active=True)


def _set_active(username: str, *, active: bool) -> None:
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.access.queries import user_named
    from vigil.hotline.audit.people import do_set_active

    do_set_active(OPERATOR, user_named(username), active=active)
    typer.echo(f"{username}: {'open' if active else 'closed'}")


@user.command("list")
def user_list(as_json: AsJson = False) -> None:
    """Everybody, with roles."""
    boot.start("worker")
    from vigil.hotline.access.queries import users_with_grants

    rows = [
        {
            "username": each.username,
            "name": each.display_name,
            "active": each.is_active,
            "roles": [grant.role for grant in each.grants.all()],
        }
        for each in users_with_grants()
    ]
    show(rows, as_json=as_json, line="{username:20} {name:24} active={active} {roles}")


# ---- enforcement nodes


@node.command("add")
def node_add(
    name: str,
    days: Annotated[int, typer.Option("--days", help="How long the token lives.")] = 365,
    partner_code: Annotated[str, typer.Option("--partner", help="Code of the partner whose node it is.")] = "",
    as_json: AsJson = False,
) -> None:
    """Enrol an enforcement node. The token is printed once."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.partners.actions import do_enrol_node

    made, token = do_enrol_node(OPERATOR, name, days, partner_code)
    row = {"name": name, "token": token, "expires_at": text_of(made.expires_at)}
    if as_json:
        typer.echo(json.dumps(row, indent=2))
    else:
        typer.echo(f"{name}: token {token}   (shown once; expires {row['expires_at']})")


@node.command("key")
def node_key(name: str, key: Annotated[str, typer.Argument(help="What 'vigil edge key' prints on the node.")]) -> None:
    """Believe what this key signs for a node; from then on nothing unsigned is taken from it."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.partners.queries import node_named
    from vigil.hotline.statistics.node_keys import do_enrol_key

    do_enrol_key(OPERATOR, node_named(name), key)
    typer.echo(f"The key of {name} is enrolled.")


@node.command("certificates")
def node_certificates(name: str, as_json: AsJson = False) -> None:
    """The self-tests that a node has handed in, newest first; exit status 1 where the newest is not green."""
    boot.start("worker")
    from vigil.hotline.partners.queries import node_named
    from vigil.hotline.statistics.models import NodeCertificate

    found = NodeCertificate.objects.filter(node=node_named(name)).order_by("-made_at")[:100]
    rows = [{"made_at": text_of(each.made_at), "good": each.good, "failing": each.failing} for each in found]
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        for each in found:
            typer.echo(f"{text_of(each.made_at)}  {'all doors right' if each.good else 'failing: ' + ', '.join(each.failing)}")
    if not found or not found[0].good:
        raise typer.Exit(1)


@node.command("revoke")
def node_revoke(name: str) -> None:
    """End the token of a node at once."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.partners.actions import do_revoke_node
    from vigil.hotline.partners.queries import node_named

    do_revoke_node(OPERATOR, node_named(name))
    typer.echo(f"{name}: revoked")


@node.command("list")
def node_list(as_json: AsJson = False) -> None:
    """All nodes."""
    boot.start("worker")
    from vigil.hotline.access.clock import now
    from vigil.hotline.partners.queries import nodes

    moment = now()
    rows = [
        {"name": each.name, "expires_at": text_of(each.expires_at), "in_force": each.in_force(moment)} for each in nodes()
    ]
    show(rows, as_json=as_json, line="{name:30} expires {expires_at} in force={in_force}")


# ---- lists


@lists.command("add")
def list_add(
    name: str,
    kind: Annotated[str, typer.Option("--kind", help="url, hash_csam, hash_ai, hash_np, np_url …")],
    jurisdiction: Annotated[list[str] | None, typer.Option("--jurisdiction", help="ISO 3166 code; repeat.")] = None,
    max_distance: Annotated[int, typer.Option("--max-distance", min=0, max=31, help="Bits, for perceptual hashes.")] = 31,
) -> None:
    """Set up a list."""
    boot.start("worker")
    from vigil.editions.model import ListKind
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.lists.actions import do_create_list

    if kind not in set(ListKind):
        raise InputError("list_kind_unknown", "There is no such kind of list.", where="--kind", mend=", ".join(ListKind))
    do_create_list(OPERATOR, name, ListKind(kind), jurisdictions=jurisdiction or [], max_distance=max_distance)
    typer.echo(f"{name}: set up")


@lists.command("show")
def list_show(as_json: AsJson = False) -> None:
    """All lists, with the number of entries in force."""
    boot.start("worker")
    from vigil.hotline.access.clock import now
    from vigil.hotline.lists.models import List
    from vigil.hotline.lists.queries import in_force

    entries = in_force(now())
    rows = [
        {"name": each.name, "kind": each.kind, "entries": entries.filter(list=each).count()} for each in List.objects.all()
    ]
    show(rows, as_json=as_json, line="{name:30} {kind:18} {entries}")


# ---- audit


@audit.command("verify")
def audit_verify(
    edition: Annotated[
        list[Path] | None, typer.Option("--edition", help="Folder of an edition whose memory of the log is compared; repeat.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check the whole audit log; exit status 1 where anything was altered."""
    boot.start("worker")
    from vigil.hotline.audit.verify import verify
    from vigil.hotline.lists.anchors import anchor_in

    report = verify([anchor_in(folder) for folder in edition or []])
    if as_json:
        flaws = [{"seq": flaw.seq, "code": flaw.code, "what": flaw.what} for flaw in report.flaws]
        typer.echo(json.dumps({"ok": report.ok, "events": report.events, "head": report.head, "flaws": flaws}, indent=2))
    else:
        for flaw in report.flaws:
            typer.echo(f"event {flaw.seq}: {flaw.what} [{flaw.code}]")
        typer.echo(f"{report.events} events, {'nothing altered' if report.ok else 'ALTERED'}; last hash {report.head}")
    raise typer.Exit(0 if report.ok else 1)


@audit.command("key")
def audit_key(
    file: Annotated[Path, typer.Argument(help="Where the private key goes; its public half goes beside it as .pub.")],
    name: Annotated[str, typer.Option("--name", help="Name of the log, such as hotline.example/audit.")],
) -> None:
    """Make the key that signs tree heads. Keep it away from the doors; hand the printed line to auditors."""
    from vigil.hotline.audit.headkeys import create_key

    typer.echo(create_key(file, name).text())


@audit.command("sign")
def audit_sign(key: Annotated[Path, typer.Option("--key", help="File of the private key.")]) -> None:
    """Sign the present state of the log; the signed tree head is printed."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.audit.headkeys import load_key
    from vigil.hotline.audit.heads import do_sign_head

    typer.echo(do_sign_head(OPERATOR, load_key(key)).note, nl=False)


@audit.command("export")
def audit_export(out: Annotated[Path, typer.Option("--out", help="File to write, as JSON lines.")]) -> None:
    """Write the whole log and its signed tree heads for an auditor; `vigil hotline audit verifier` checks the file."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.audit.heads import do_export

    events = do_export(OPERATOR, out)
    typer.echo(f"{events} events written to {out}")


@audit.command("prove")
def audit_prove(
    event: Annotated[int, typer.Argument(min=1, help="Number of the event.")],
    size: Annotated[int, typer.Option("--size", min=1, help="Events under the tree head.")],
) -> None:
    """Prove that one event stands under a signed tree head, as JSON (RFC 9162, section 2.1.3)."""
    boot.start("worker")
    from vigil.hotline.audit.heads import proof_of_inclusion

    typer.echo(json.dumps(proof_of_inclusion(event, size), indent=2))


@audit.command("consistency")
def audit_consistency(
    older: Annotated[int, typer.Argument(min=1, help="Events under the older tree head.")],
    size: Annotated[int, typer.Argument(min=1, help="Events under the newer one.")],
) -> None:
    """Prove that an older signed tree head is a beginning of a newer one, as JSON (RFC 9162, section 2.1.4)."""
    boot.start("worker")
    from vigil.hotline.audit.heads import proof_of_consistency

    typer.echo(json.dumps(proof_of_consistency(older, size), indent=2))


@audit.command("verifier")
def audit_verifier() -> None:
    """Print the stand-alone verifier: one Python file that checks an export without Vigil."""
    from importlib.resources import files

    typer.echo((files("vigil.hotline.audit") / "standalone.py").read_text("utf-8"), nl=False)
