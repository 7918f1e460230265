"""What a decoder that was taken over can do: nothing but answer, and even that is checked."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.media.drawings import jpeg, landscape

from vigil.base.errors import UnavailableError
from vigil.media import Decoder, ImageHashes, Reason, Unhashable
from vigil.media.confinement import LANDLOCK_RIGHTS
from vigil.media.protocol import Kind, Mode, Request, Wish
from vigil.media.worker import Worker, WorkerGoneError

HOSTILE = (sys.executable, "-I", str(Path(__file__).with_name("hostile_child.py")))
LAYERS = {"limits", "not_dumpable", "no_capabilities", "no_new_privileges", "landlock", "seccomp"}


@pytest.fixture(scope="module")
def taken() -> Iterator[Decoder]:
    """A pool whose children do what their file says."""
    with Decoder(1, command=HOSTILE) as decoder:
        yield decoder


def refusal(taken: Decoder, deed: str) -> int:
    """The error number with which the deed failed; 0 if it succeeded."""
    found = taken.hash_image(deed.encode())
    assert isinstance(found, ImageHashes), found
    return found.width - 1


def ends_by(deed: bytes) -> int:
    """The signal that ends a hostile child when it does the deed."""
    worker = Worker(HOSTILE)
    read, write = os.pipe()
    os.close(write)
    memory = os.memfd_create("deed")
    os.write(memory, deed)
    worker.ask(Request(Kind.PICTURE, Mode.EXACT, Wish(0), len(deed)), memory)
    with pytest.raises(WorkerGoneError):
        worker.answer(20)
    status = worker._process.wait(20)
    worker.kill()
    for descriptor in (read, memory):
        os.close(descriptor)
    return -status


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_every_layer_is_reported(decoder: Decoder) -> None:
    assert {layer.name for layer in decoder.confinement} == LAYERS


def test_all_layers_are_active_on_this_kernel(decoder: Decoder) -> None:
    assert [layer for layer in decoder.confinement if not layer.active] == []


def test_the_kernel_confirms_what_the_child_reports(decoder: Decoder) -> None:
    decoder.hash_image(jpeg())
    for pid in decoder.children:
        status = status_of(pid)
        assert status["Seccomp"].strip() == "2"
        assert status["NoNewPrivs"].strip() == "1"
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == int(status["CapPrm"], 16) == 0 or os.getuid() != 0
        assert Path(f"/proc/{pid}/limits").read_text().count("unlimited") < 20


def test_a_child_has_no_descriptor_but_its_channel(decoder: Decoder) -> None:
    decoder.hash_image(jpeg())
    for pid in decoder.children:
        held = {int(entry.name): str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
        assert {name for number, name in held.items() if number <= 2} == {"/dev/null"}
        assert all(name.startswith("socket:") for number, name in held.items() if number > 2)
        assert len(held) == 4


def test_a_child_inherits_no_secret_from_the_environment(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_SIGNING_KEYS", "zorblat")
    with Decoder(1) as own:
        assert isinstance(own.hash_image(jpeg()), ImageHashes)
        assert b"zorblat" not in Path(f"/proc/{own.children[0]}/environ").read_bytes()


def test_a_child_cannot_write_a_file(taken: Decoder, tmp_path: Path) -> None:
    target = tmp_path / "written"
    assert refusal(taken, f"write_file:{target}") in {errno.EPERM, errno.EACCES}
    assert not target.exists()


def test_a_child_cannot_read_a_file(taken: Decoder) -> None:
    assert refusal(taken, "read_file:/etc/passwd") in {errno.EPERM, errno.EACCES}


def test_a_child_cannot_remove_a_file(taken: Decoder, tmp_path: Path) -> None:
    target = tmp_path / "kept"
    target.write_bytes(b"quimber")
    assert refusal(taken, f"remove_file:{target}") in {errno.EPERM, errno.EACCES}
    assert target.exists()


def test_a_child_cannot_make_memory_executable(taken: Decoder) -> None:
    assert refusal(taken, "executable_memory:") == errno.EPERM


def test_a_child_cannot_raise_its_limits(taken: Decoder) -> None:
    assert taken.hash_image(b"raise_limits:").reason == Reason.DECODER_CRASHED  # type: ignore[union-attr]


@pytest.mark.parametrize("deed", ["open_socket", "execute", "fork", "trace_parent", "signal_parent"])
def test_a_child_that_reaches_out_is_killed_by_the_kernel(deed: str) -> None:
    assert ends_by(f"{deed}:".encode()) == signal.SIGSYS


def test_a_crash_costs_only_its_file(taken: Decoder) -> None:
    found = taken.hash_image(b"crash:")
    digest = hashlib.sha256(b"crash:").digest()
    assert isinstance(found, Unhashable)
    assert (found.reason, found.sha256) == (Reason.DECODER_CRASHED, digest)
    assert refusal(taken, "read_file:/") != 0


def test_an_endless_loop_is_ended_at_the_deadline(taken: Decoder) -> None:
    before = time.monotonic()
    found = taken.hash_image(b"loop:", timeout=2)
    assert isinstance(found, Unhashable)
    assert found.reason is Reason.TIMED_OUT
    assert time.monotonic() - before < 60
    assert refusal(taken, "read_file:/") != 0


def test_a_loop_ends_by_itself_when_nobody_waits() -> None:
    worker = Worker(HOSTILE)
    memory = os.memfd_create("deed")
    os.write(memory, b"loop:")
    worker.ask(Request(Kind.PICTURE, Mode.EXACT, Wish(0), 5, seconds=1), memory)
    assert worker._process.wait(60) == -signal.SIGXCPU
    worker.kill()
    os.close(memory)


def test_a_memory_bomb_ends_at_the_limit(taken: Decoder) -> None:
    found = taken.hash_image(b"fill_memory:")
    assert isinstance(found, Unhashable)
    assert found.reason is Reason.OUT_OF_MEMORY
    assert refusal(taken, "read_file:/") != 0


@pytest.mark.parametrize("lie", ["length", "nonsense", "size"])
def test_a_lying_child_is_not_believed(taken: Decoder, lie: str) -> None:
    before = set(taken.children)
    found = taken.hash_image(f"lie:{lie}".encode())
    assert isinstance(found, Unhashable)
    assert found.reason is Reason.DECODER_CRASHED
    assert not before & set(taken.children)


def test_an_answer_ahead_of_its_question_ends_the_child_and_harms_no_other_file(taken: Decoder) -> None:
    assert isinstance(taken.hash_image(b"lie:twice"), ImageHashes)
    before = set(taken.children)
    time.sleep(0.2)  # until its second answer has arrived
    assert refusal(taken, "read_file:/") == errno.EPERM
    assert not before & set(taken.children)


def test_a_child_that_died_while_idle_is_replaced_unnoticed() -> None:
    with Decoder(1) as own:
        assert isinstance(own.hash_image(jpeg()), ImageHashes)
        os.kill(own.children[0], signal.SIGKILL)
        time.sleep(0.1)
        assert isinstance(own.hash_image(jpeg()), ImageHashes)


def test_children_die_with_their_parent(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom vigil.media import Decoder\nd = Decoder(1)\nd.confinement\n"
        "print(d.children[0], flush=True)\ntime.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(child)


def test_a_busy_child_dies_with_its_parent() -> None:
    script = (
        "from vigil.media import Decoder\n"
        f"d = Decoder(1, command={HOSTILE!r})\nd.confinement\nprint(d.children[0], flush=True)\n"
        "d.hash_image(b'loop:', timeout=600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(child)


def gone(pid: int) -> bool:
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def test_a_child_survives_the_thread_that_first_asked() -> None:
    import threading

    with Decoder(1) as own:
        thread = threading.Thread(target=lambda: own.hash_image(jpeg()))
        thread.start()
        thread.join()
        first = own.children
        assert isinstance(own.hash_image(jpeg(landscape(seed=2))), ImageHashes)
        assert own.children == first


def test_a_missing_layer_can_be_made_a_refusal() -> None:
    with Decoder(1, required=("limits", "zorblat")) as strict, pytest.raises(UnavailableError) as refused:
        strict.hash_image(jpeg())
    assert refused.value.code == "decoder_not_confined"
    assert "zorblat" in str(refused.value)


def test_a_child_that_cannot_start_is_said_to_be_unavailable() -> None:
    with Decoder(1, command=(sys.executable, "-I", "-c", "pass")) as broken, pytest.raises(UnavailableError) as refused:
        broken.hash_image(jpeg())
    assert refused.value.code == "decoder_unavailable"


def test_landlock_rights_grow_with_the_version() -> None:
    files = [rights[0] for _, rights in sorted(LANDLOCK_RIGHTS.items())]
    assert files == sorted(files)
