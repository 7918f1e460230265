"""The doctor: each thing that can be wrong is found, and the words say what to do."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.running import free_ports
from typer.testing import CliRunner

from vigil.cli.doctor import app
from vigil.editions.build import build_edition
from vigil.editions.keys import create_keys
from vigil.editions.model import EditionContents, ListInfo
from vigil.editions.publish import publish
from vigil.hotline.retention import policy
from vigil.hotline.settings.keyfiles import create_secrets
from vigil.installation.doctor import Finding, Level, files, life, machine
from vigil.installation.doctor.patient import Patient
from vigil.installation.folder import DataFolder
from vigil.installation.prepare import LOOPBACK, Ports, write_configuration
from vigil.installation.processes import run_once, vigil
from vigil.installation.up import only_one

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    data = DataFolder(tmp_path / "data")
    data.create()
    create_secrets(data.secrets)
    (data.secrets / "edge-node.token").write_text("a-token-that-is-long-enough")
    keys = create_keys(data.keys, NOW)
    data.root_of_trust.write_bytes(keys.root)
    write_configuration(data, demo=True, host=LOOPBACK, ports=Ports(free_ports()), today=NOW.date())
    for path in data.root.glob("*"):
        os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    publish_at(data, NOW)
    return data


def publish_at(data: DataFolder, instant: datetime) -> None:
    from vigil.editions.keys import KeyRing

    contents = EditionContents((ListInfo("urls", "url", (), 31),), (), (), None)
    publish(data.editions, build_edition(contents, number=1, previous=None, issued_at=instant), KeyRing.load(data.keys), instant)


@pytest.fixture
def patient(folder: DataFolder) -> Patient:
    return Patient(folder, NOW, deploy=False)


def only_bad(findings: Iterator[Finding]) -> Finding:
    found = [finding for finding in findings if finding.level is Level.BAD]
    assert len(found) == 1, found
    assert found[0].saw
    assert found[0].mend
    return found[0]


QUIET: list[Callable[[Patient], Iterator[Finding]]] = [
    machine.python,
    machine.kernel,
    machine.decoders,
    files.data_folder,
    files.configuration,
    files.secrets,
    files.signing_keys,
    life.clock,
    life.edition,
    life.ports,
]


@pytest.mark.parametrize("examination", QUIET, ids=lambda examination: examination.__name__)
def test_a_sound_installation_has_nothing_to_mend(patient: Patient, examination: Callable[[Patient], Iterator[Finding]]) -> None:
    findings = list(examination(patient))
    assert findings
    assert [finding for finding in findings if finding.level is Level.BAD] == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert "vigil up" in only_bad(files.data_folder(Patient(DataFolder(tmp_path / "none"), NOW, False))).mend


def test_a_folder_that_others_can_read(patient: Patient) -> None:
    patient.folder.root.chmod(0o755)
    assert "chmod 700" in only_bad(files.data_folder(patient)).mend


def test_a_setting_that_does_not_exist(patient: Patient) -> None:
    with patient.folder.edge_config.open("a") as stream:
        stream.write("\n[zorblat]\nx = 1\n")
    assert "zorblat" in only_bad(files.configuration(patient)).saw


def test_a_missing_secret(patient: Patient) -> None:
    (patient.folder.secrets / "seal.key").unlink()
    assert "seal.key" in only_bad(files.secrets(patient)).saw


def test_a_secret_that_others_can_read(patient: Patient) -> None:
    (patient.folder.secrets / "django.key").chmod(0o644)
    assert "chmod 600" in only_bad(files.secrets(patient)).mend


def test_signing_keys_that_others_can_read(patient: Patient) -> None:
    (patient.folder.keys / "targets.pem").chmod(0o644)
    assert "targets.pem" in only_bad(files.signing_keys(patient)).saw


def test_root_keys_on_a_production_machine_are_worth_a_note(folder: DataFolder) -> None:
    (finding,) = files.signing_keys(Patient(folder, NOW, deploy=True))
    assert finding.level is Level.NOTE
    assert "offline" in finding.mend


def test_a_clock_that_is_behind(folder: DataFolder) -> None:
    finding = only_bad(life.clock(Patient(folder, NOW - timedelta(hours=1), False)))
    assert "set-ntp" in finding.mend


def test_an_edition_that_has_expired(folder: DataFolder) -> None:
    later = Patient(folder, NOW + timedelta(days=2), False)
    found = [finding for finding in life.edition(later) if finding.level is Level.BAD]
    assert any("office" in finding.mend for finding in found)


def test_an_edition_that_was_altered(patient: Patient) -> None:
    (target,) = patient.folder.editions.glob("targets/*edition.json")
    target.write_bytes(target.read_bytes().replace(b"urls", b"urlz", 1))
    assert any(finding.level is Level.BAD for finding in life.edition(patient))


def test_a_port_that_somebody_else_uses(patient: Patient) -> None:
    door = life._doors(patient)[0]
    with socket.socket() as other:
        other.bind((door.host, door.port))
        other.listen()
        found = [finding for finding in life.ports(patient) if str(door.port) in finding.saw]
    assert [(finding.level, "--port" in finding.mend) for finding in found] == [(Level.BAD, True)]


def test_a_running_installation_whose_processes_do_not_answer(patient: Patient) -> None:
    with only_one(patient.folder.lock):
        assert patient.running
        found = list(life.ports(patient))
    assert [finding.level for finding in found] == [Level.BAD] * 4
    assert not patient.running


def test_a_database_without_its_tables_then_with_them_then_damaged(patient: Patient) -> None:
    environment = {"VIGIL_HOTLINE_CONFIG": str(patient.folder.hotline_config)}
    assert "vigil hotline migrate" in only_bad(life.database(patient)).mend
    run_once(vigil("hotline", "migrate"), environment)
    assert all(finding.level is Level.GOOD for finding in life.database(patient))
    content = bytearray(patient.folder.database.read_bytes())
    content[4096 : 4096 * 12] = b"\x00" * (4096 * 11)
    patient.folder.database.write_bytes(content)
    assert any("backup" in finding.mend for finding in life.database(patient))


def test_a_retention_policy_from_before_an_upgrade(patient: Patient) -> None:
    assert list(life.retention(patient)) == [], "ours has a rule for each class"
    shipped, config = policy.SHIPPED.read_text(encoding="utf-8"), patient.folder.hotline_config
    own = patient.folder.root / "own.toml"
    config.write_text(f'retention_policy = "{own}"\n' + config.read_text())
    for text, said in ((shipped.rpartition("[[rules]]")[0], "no rule for partner_record: nothing of them is deleted"),
                       (shipped.replace("spam_report", "zorblat"), "zorblat"), ("zorblat", "not valid")):  # fmt: skip
        own.write_text(text, encoding="utf-8")
        found = only_bad(life.retention(patient))
        assert said in found.saw and "retention_policy" in found.mend
    own.write_text(shipped, encoding="utf-8")
    assert [finding.level for finding in life.retention(patient)] == [Level.GOOD]


def test_demo_staff_have_no_place_in_production(folder: DataFolder) -> None:
    folder.demo.write_text("{}")
    assert "new folder" in only_bad(life.people(Patient(folder, NOW, deploy=True))).mend


def test_a_demo_configuration_fails_the_deploy_checks(folder: DataFolder) -> None:
    found = list(life.deploy(Patient(folder, NOW, deploy=True)))
    assert {finding.level for finding in found} == {Level.BAD}


def test_a_production_configuration_passes_the_deploy_checks(folder: DataFolder) -> None:
    write_configuration(folder, demo=False, host=LOOPBACK, ports=Ports(8470), today=NOW.date())
    found = list(life.deploy(Patient(folder, NOW, deploy=True)))
    assert {finding.level for finding in found} == {Level.GOOD}


def test_the_command_says_it_in_words_and_in_json(tmp_path: Path) -> None:
    runner = CliRunner()
    spoken = runner.invoke(app, ["--data", str(tmp_path / "none")])
    assert spoken.exit_code == 1
    assert "▶ mend  data folder" in spoken.stdout
    written = runner.invoke(app, ["--data", str(tmp_path / "none"), "--json"])
    assert written.exit_code == 1
    assert {"level": "bad", "subject": "data folder"}.items() <= json.loads(written.stdout)["findings"][3].items()
