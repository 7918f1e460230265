"""``vigil edge``: run an enforcement node, or check its configuration.

A node begins anew with another allocator (:mod:`vigil.edge.wiping`): what it is made of is loaded after that, once.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from vigil.base.clock import SystemClock
from vigil.base.errors import InputError
from vigil.edge.wiping import begin_with_wiping

app = typer.Typer(add_completion=False, help="Run an enforcement node.", no_args_is_help=True)


@app.command("serve")
def serve(config: Annotated[Path, typer.Option("--config", help="The node's configuration (TOML).")]) -> None:
    """Answer requests until told to stop; SIGTERM lets running requests finish."""
    begin_with_wiping()
    from vigil.edge import config as edge_config
    from vigil.edge import workers
    from vigil.edge.http.server import Service
    from vigil.edge.journal import journal
    from vigil.edge.node import Node

    loaded = edge_config.load(config)
    log = journal(loaded.file.node)
    log.info("starting", digest=loaded.digest)
    if codes := unreviewed():
        log.warning("page_texts_unreviewed", languages=len(codes))  # which ones: vigil edge check-config
    if loaded.file.listen.workers == 1:
        Service(Node(loaded, SystemClock(), log)).run()
    else:
        workers.Keeper(loaded, config, SystemClock(), log).run()


@app.command("worker", hidden=True)
def worker(start: Annotated[str, typer.Argument(help="What the keeper hands its worker.")]) -> None:
    """One worker of a node with several; started by the node itself."""
    import socket

    from vigil.edge import config as edge_config
    from vigil.edge import workers
    from vigil.edge.http.server import Service
    from vigil.edge.journal import journal
    from vigil.edge.shared import Region

    told = msgspec.json.decode(start, type=workers.Start)
    loaded = workers.with_ports(edge_config.load(Path(told.config)), told.port, told.icap_port)
    region = Region(told.region, told.segments)
    node = workers.WorkerNode(loaded, SystemClock(), journal(loaded.file.node), region, told)
    with socket.socket(fileno=told.control) as control:
        workers.take_first_word(node, control)  # before the port is open: no request finds a worker without an edition
        service = Service(node)
        workers.follow(node, control, service.stop)
        service.run(lambda port: workers.announce(control, port))


@app.command("check-config")
def check_config(
    config: Annotated[Path, typer.Argument(help="The node's configuration (TOML).")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Read the configuration as a start would, and say what should be known about it."""
    from vigil.edge import config as edge_config

    loaded = edge_config.load(config)
    notes = edge_config.warnings(loaded)
    if codes := unreviewed():
        notes.append(f"The text of the block page has not been reviewed by a person who speaks: {', '.join(codes)}.")
    if as_json:
        document = {"valid": True, "node": loaded.file.node, "digest": loaded.digest, "notes": notes}
        sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
        return
    typer.echo(f"The configuration of node {loaded.file.node} is valid; digest {loaded.digest[:12]}.")
    for note in notes:
        typer.echo(f"Note: {note}")


@app.command("squid-helper")
def squid_helper(
    node: Annotated[str, typer.Option("--node", help="Address of a node that has forward_auth.proxies = ['squid'].")] = "",
    config: Annotated[Path | None, typer.Option("--config", help="Instead: a configuration with its own state folder.")] = None,
) -> None:
    """Answer Squid's external ACL on standard input and output, by a node or by an edition of its own."""
    from vigil.edge import config as edge_config
    from vigil.edge import squid_helper as helper
    from vigil.edge.journal import journal
    from vigil.edge.node import Node

    if bool(node) == (config is not None):
        raise InputError("helper_source", "Either a node or a configuration must be given.", mend="Give --node or --config.")
    if config is None:
        helper.serve(sys.stdin.fileno(), sys.stdout.fileno(), helper.NodeAsker(node))
        return
    loaded = edge_config.load(config)
    own = Node(loaded, SystemClock(), journal(loaded.file.node))
    with helper.alone_in(loaded.state):
        own.start()
        try:
            helper.serve(sys.stdin.fileno(), sys.stdout.fileno(), partial(helper.squid_words, own))
        finally:
            own.stop()


@app.command("key")
def key(
    config: Annotated[Path, typer.Option("--config", help="The node's configuration (TOML).")],
) -> None:
    """Print the node's public key, which the hotline enrols; the private half is made where there is none yet."""
    from vigil.edge import config as edge_config
    from vigil.edge.identity import NodeKey

    typer.echo(NodeKey.of(edge_config.load(config).state).public)


@app.command("certify")
def certify(
    config: Annotated[Path | None, typer.Option("--config", help="The node's configuration: run the self-test.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where the signed report goes.")] = None,
    send: Annotated[bool, typer.Option("--send", help="Hand it to certify.report_url as well.")] = False,
    check: Annotated[Path | None, typer.Option("--check", help="Instead: read a signed report.")] = None,
    public: Annotated[str, typer.Option("--key", help="With --check: the public key of the node.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report.")] = False,
) -> None:
    """Ask every door for the benign test list and sign what came back, or check such a report; exit status 1 where it is not

    green.
    """
    from vigil.edge import config as edge_config
    from vigil.edge.certify import run as certification

    if (config is None) == (check is None) or (check is not None and not public):
        raise InputError(
            "certify_source", "Either a configuration, or a report and a key.", mend="Give --config, or --check and --key."
        )
    if check is not None:
        found = certification.check(check.read_bytes(), public)
    else:
        found = certification.run_and_keep(edge_config.load(config or Path()), SystemClock(), out, send=send)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        for line in certification.lines_of(found):
            typer.echo(line)
    if not found.good:
        raise typer.Exit(1)


@app.command("openapi")
def openapi() -> None:
    """Print the OpenAPI document of the node's HTTP door."""
    from vigil.edge.http.openapi import document_text

    sys.stdout.write(document_text())


def unreviewed() -> list[str]:
    """Languages whose block page nobody has reviewed."""
    from vigil.edge.pages import texts

    return [code for code, text in texts().items() if text.review.state != "reviewed"]
