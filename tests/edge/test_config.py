"""The policy file is read strictly, and says plainly what is wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest

from vigil.base.errors import InputError
from vigil.edge import config

LEAST = 'node = "n-1"\nstate = "state"\n[editions]\nsource = "published"\n'


def load(tmp_path: Path, text: str) -> config.NodeConfig:
    path = tmp_path / "edge.toml"
    path.write_text(text)
    return config.load(path)


def test_the_least_file_gives_safe_defaults(tmp_path: Path) -> None:
    loaded = load(tmp_path, LEAST)
    file = loaded.file
    assert (file.listen.host, file.listen.open_to_network, file.gate.enabled) == ("127.0.0.1", False, False)
    assert (file.counts.k, file.counts.send_open_hour, file.enforcement.on_unknown) == (10, False, "refuse")
    assert loaded.source == str(tmp_path / "published")
    assert loaded.state == tmp_path / "state"
    assert loaded.digest == hashlib.sha256(LEAST.encode()).hexdigest()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (LEAST + "colour = 1\n", "colour"),
        (LEAST + "[limits]\nmedia_byte = 1\n", "media_byte"),
        (LEAST + "[[pages.help_lines]]\nname = 'x'\n", "country"),
        (LEAST + "[pages]\nstatus = 404\n", "pages.status"),
        (LEAST + "[counts]\nk = 'ten'\n", "counts.k"),
        ("node = 'n'\n", "state"),
        ("node = \n", "line 1"),
        (LEAST + "[counts]\ntoken = 'short'\n", "at least 16"),
    ],
)
def test_malformed_files_are_refused_with_the_place(tmp_path: Path, text: str, where: str) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    assert caught.value.code == "config_malformed"
    assert where in str(caught.value)


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ("[listen]\nhost = '0.0.0.0'\n", "listen.host"),
        ("[listen]\nport = 70000\n", "listen.port"),
        ("[icap]\nport = 70000\n", "icap.port"),
        ("[rpz]\nenabled = true\n", "rpz.names"),
        ("[rpz]\nhost = '192.0.2.1'\n", "rpz.host"),
        ("[rpz]\nzone = 'v.example'\n", "rpz.zone"),
        ("[rpz]\nsecondaries = ['all']\n", "rpz.secondaries"),
        ("[rpz]\nnotify = ['ns.example']\n", "rpz.notify"),
        ("[rpz]\ntls_port = 853\n", "rpz.tls_port"),
        ("[rpz]\nreload = ['x']\n", "rpz.reload"),
        ("[rpz]\nanswer = 'page'\n", "rpz.page_addresses"),
        ("[rpz]\nexpire_seconds = 60\n", "rpz.expire_seconds"),
        ("[icap]\nhost = '0.0.0.0'\n", "icap.host"),
        ("[icap]\nconnections = 0\n", "icap.connections"),
        ("[icap]\nbodies_bytes = 1\n", "icap.bodies_bytes"),
        ("[forward_auth]\npeers = ['everyone']\n", "forward_auth.peers"),
        ("[forward_auth]\nproxies = ['nginx', 'nginx']\n", "forward_auth.proxies"),
        ("[counts]\nurl = 'ftp://hub.example/'\n", "counts.url"),
        ("[counts]\nk = -1\n", "counts.k"),
        ("[counts]\ntoken = 'abcdefghijklmnop'\ntoken_file = 'x'\n", "counts.token"),
        ("[pages]\ncomplaint_url = '/complain'\n", "pages.complaint_url"),
        ("[pages]\nreport_url = 'javascript:alert(1)'\n", "pages.report_url"),
        ('[pages]\nhelp_url = "https://help.example/\\r\\nX: y"\n', "pages.help_url"),
        ("[gate]\nenabled = true\n", "gate.hosts"),
        ("[gate]\nenabled = true\nhosts = ['*']\n", "gate.hosts"),
        ("[limits]\nmedia_bytes = 100000000\n", "limits.media_bytes"),
        ("[limits]\nheader_seconds = 0\n", "limits.header_seconds"),
        ("[enforcement]\nmin_pdq_quality = 101\n", "enforcement.min_pdq_quality"),
    ],
)
def test_values_out_of_range_are_refused_by_field(tmp_path: Path, more: str, where: str) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, LEAST + more)
    assert (caught.value.code, caught.value.where) == ("config_value", where)


def test_off_loopback_needs_tokens_or_a_choice_in_writing(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("first-token-zorblat\nsecond-token-quimber\n")
    far = LEAST + "[listen]\nhost = '0.0.0.0'\n"
    assert len(load(tmp_path, far + "[api]\ntokens_file = 'tokens'\n").api_tokens) == 2
    chosen = load(tmp_path, far + "open_to_network = true\n")
    assert any("anyone on the network" in sentence for sentence in config.warnings(chosen))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2", "::1"])
def test_loopback_is_known(host: str) -> None:
    assert config.is_loopback(host)
    assert not config.is_loopback("192.0.2.1")
    assert not config.is_loopback("node.example")


def test_tokens_come_from_files_and_are_never_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret-token-zorblat\n")
    loaded = load(tmp_path, LEAST + "token_file = 'token'\n[counts]\ntoken = 'other-token-quimber'\n")
    assert loaded.edition_token is not None
    assert loaded.edition_token.open() == "secret-token-zorblat"
    assert "zorblat" not in repr(loaded)
    assert "quimber" not in repr(loaded)


@pytest.mark.parametrize("content", ["", "short", "with space inside it", "ünprintable-token-x"])
def test_unusable_token_files_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokens").write_text(content)
    with pytest.raises(InputError):
        load(tmp_path, LEAST + "[api]\ntokens_file = 'tokens'\n")


def test_missing_files_are_named_by_field(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, LEAST + "root = 'nowhere.json'\n")
    assert (caught.value.code, caught.value.where) == ("config_unreadable", "editions.root")
    with pytest.raises(InputError, match="cannot be read"):
        config.load(tmp_path / "absent.toml")


def test_without_a_root_nothing_is_trusted_and_that_is_said(tmp_path: Path) -> None:
    loaded = load(tmp_path, LEAST)
    assert "root_missing" in config.warnings(loaded)[0]
    kept = loaded.state / config.KEPT / "metadata"
    kept.mkdir(parents=True)
    (kept / "root.json").write_bytes(b"{}")
    assert "goes on with the root in its state" in config.warnings(loaded)[0]


def test_what_should_be_known_is_said(tmp_path: Path) -> None:
    found = " ".join(config.warnings(load(tmp_path, LEAST + "[counts]\nk = 0\n")))
    for part in ("editions.root", "counts.url", "counts.k is 0", "complaint_url"):
        assert part in found


def test_the_guide_explains_every_field() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "edge-node.md").read_text()
    tables: dict[str, type[msgspec.Struct]] = {"": config.NodeFile}
    for field in msgspec.structs.fields(config.NodeFile):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            tables[f"{field.name}."] = field.type
    names = {prefix + name for prefix, table in tables.items() for name in table.__struct_fields__}
    leaves = {name for name in names if f"{name}." not in tables}
    missing = [name for name in sorted(leaves) if f"`{name}`" not in guide]
    assert not missing


def test_searches_are_screened_only_where_a_warning_names_somebody_or_the_operator_says_it_shall_not(tmp_path: Path) -> None:
    screen = LEAST + "[screen]\nenabled = true\n"
    with pytest.raises(InputError) as caught:
        load(tmp_path, screen)
    assert caught.value.code == "config_value" and "screen.enabled" in caught.value.where
    line = '[[pages.help_lines]]\ncountry = "NL"\nname = "Quimberlijn"\nfor_whom = "self"\nlanguages = ["*"]\n'
    line += 'verified_on = 2026-11-01\nverified_by = "A person"\nphone = "+00 800 000 000"\n'
    service = '[[pages.services]]\nid = "nl-stop-it-now"\nverified_on = 2026-11-01\nverified_by = "A person"\n'
    for more in ('[pages]\nhelp_url = "https://help.example/"\n', line, service):
        assert "without_help" not in " ".join(config.warnings(load(tmp_path, screen + more)))
    said = load(tmp_path, screen + "without_help = true\n")
    assert any(note.startswith("screen.without_help") for note in config.warnings(said))
    assert not load(tmp_path, LEAST).file.screen.without_help
