"""The pool: many callers, few children, all of them reused, replaced in time and ended at the end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.media.drawings import encoded, jpeg, landscape
from tests.media.test_confinement import HOSTILE, gone

from vigil.base.errors import UnavailableError
from vigil.media import Decoder, ImageHashes, Reason, Unhashable, default_decoder, hash_image, hash_video
from vigil.media.decoder import _in_memory


def test_a_child_is_reused_between_files() -> None:
    with Decoder(1) as own:
        seen = set()
        for seed in range(5):
            assert isinstance(own.hash_image(jpeg(landscape(seed=seed))), ImageHashes)
            seen.update(own.children)
        assert len(seen) == 1


def test_a_child_is_replaced_after_its_number_of_files() -> None:
    with Decoder(1, files=2) as own:
        seen = set()
        for _ in range(4):
            own.hash_image(jpeg())
            seen |= set(own.children)
        assert len(seen) == 2
        assert own.children == ()


def test_many_threads_get_the_answers_to_their_own_questions(decoder: Decoder) -> None:
    files = {seed: encoded(landscape(100 + seed, 90, seed=seed), "PNG") for seed in range(24)}
    alone = {seed: decoder.hash_image(data) for seed, data in files.items()}
    with ThreadPoolExecutor(8) as pool:
        together = dict(zip(files, pool.map(decoder.hash_image, files.values()), strict=True))
    assert together == alone
    assert [found.width for found in together.values() if isinstance(found, ImageHashes)] == [100 + seed for seed in files]
    assert len(decoder.children) <= 2


def test_who_finds_no_free_child_in_time_is_told_so() -> None:
    with Decoder(1, command=HOSTILE) as own:
        own.hash_image(b"read_file:/")
        thread = threading.Thread(target=lambda: own.hash_image(b"sleep:", timeout=3))
        thread.start()
        while own._free._value != 0:  # type: ignore[attr-defined]
            pass
        found = own.hash_image(b"read_file:/", timeout=0.1)
        thread.join()
    assert isinstance(found, Unhashable)
    assert found.reason is Reason.BUSY
    assert len(found.sha256) == 32


def test_closing_ends_the_children_and_later_questions_are_refused() -> None:
    own = Decoder(1)
    own.hash_image(jpeg())
    children = own.children
    own.close()
    own.close()
    assert all(gone(pid) for pid in children)
    with pytest.raises(UnavailableError) as refused:
        own.hash_image(jpeg())
    assert refused.value.code == "decoder_closed"


def test_a_forked_process_leaves_the_children_of_its_parent_alone() -> None:
    with Decoder(1) as own:
        own.hash_image(jpeg())
        own._owner += 1  # as a forked copy sees it
        own.close()
        own._owner -= 1
        assert isinstance(own.hash_image(jpeg()), ImageHashes)


def test_a_picture_in_memory_cannot_be_changed_by_who_is_lent_it() -> None:
    with _in_memory(b"zorblat") as descriptor:
        with pytest.raises(PermissionError):
            os.pwrite(descriptor, b"quimber", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, 0)
        assert os.pread(descriptor, 20, 0) == b"zorblat"


def test_the_shared_pool_serves_the_module_functions() -> None:
    assert default_decoder() is default_decoder()
    assert isinstance(hash_image(jpeg()), ImageHashes)
    assert isinstance(hash_video(b"zorblat"), Unhashable)


def test_a_program_that_ends_leaves_no_child_behind() -> None:
    script = "from vigil.media import default_decoder as d\nd().confinement\nprint(*d().children)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert ended.stderr == ""
    assert all(gone(int(pid)) for pid in ended.stdout.split())


def test_the_caller_loads_no_decoder_library() -> None:
    names = ("PIL", "av", "simplejpeg", "pillow_heif", "numpy")
    script = f"import sys, vigil.media, vigil.cli.hash\nprint([name for name in {names} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert ended.stdout.strip() == "[]"


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_descriptor_is_left_open(decoder: Decoder) -> None:
    decoder.hash_image(jpeg())
    before = open_descriptors()
    for _ in range(5):
        decoder.hash_image(jpeg())
        decoder.hash_video(b"zorblat")
    assert open_descriptors() == before
