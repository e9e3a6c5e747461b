"""Folders that are handed out: whole or not at all, and nothing is left of a killed writer."""

import subprocess
import sys
from pathlib import Path

import pytest

from dsk_assets.errors import StorageError
from dsk_assets.lake.folders import new_folder

KILLED = """
import os, signal, sys
from pathlib import Path
from dsk_assets.lake.folders import new_folder
with new_folder(Path(sys.argv[1]), "write") as folder:
    (folder / "half").write_text("half of it")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    out = tmp_path / "out [1]"
    subprocess.run([sys.executable, "-c", KILLED, str(out)], check=False)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".tmp-")
    with new_folder(out, "write") as folder:
        (folder / "whole").write_text("all of it")
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*")] == [
        Path("out [1]"),
        Path("out [1]/whole"),
    ]


def test_a_writer_that_lives_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(StorageError, match="could not write"), new_folder(out, "write") as first:
        with new_folder(out, "write") as second:
            (second / "whole").write_text("all of it")
        assert first.is_dir()
    assert [path.name for path in out.iterdir()] == ["whole"]
