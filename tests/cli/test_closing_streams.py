"""What the command line does when nobody takes its output."""

from __future__ import annotations

import subprocess
import sys

VERB = [sys.executable, "-m", "vigil.cli", "url", "canonical", "http://gallery.example/"]


def test_a_full_disk_is_said_in_words() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(VERB, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "vigil: There is no room left to write to. Make room, then try again. [disk_full]\n"


def test_a_reader_that_went_away_is_no_mistake() -> None:
    with subprocess.Popen(VERB, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        if process.stdout is None or process.stderr is None:
            raise RuntimeError("no pipes")
        process.stdout.close()
        assert process.stderr.read() == ""
