"""Sites that stand on this host, scripts of their own, and commands."""

import subprocess
import sys
from pathlib import Path
from typing import Any


def site_yaml(folder: Path, /, **changes: Any) -> dict[str, Any]:
    """A site that stands on this host."""
    return {
        "name": "here", "country": "FI", "folder": str(folder), "time_limit": "10:00",
        "memory": "1500M", "python": sys.executable, "setup": ["export OMP_NUM_THREADS=1"],
    } | changes  # fmt: skip


HELD = """
exec {python} - "$DSK_JOB" <<'END'
import pathlib, sys, time
from dsk_assets.training import payload
publish = payload._publish
def held(folder, target):
    while target.name == "step-{step:06d}" and not pathlib.Path("{gate}").exists():
        time.sleep(0.02)
    publish(folder, target)
payload._publish = held
sys.exit(payload.main([sys.argv[1], "--country", "FI"]))
END
"""


def held_script(folder: Path, step: int) -> tuple[Path, Path]:
    """A site's own script that waits at *step* for a file, and that file."""
    gate, script = folder / "go", folder / "own.sh"
    script.write_text(HELD.format(python=sys.executable, step=step, gate=gate))
    return script, gate


def command(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout
