"""Tasks of EleutherAI's evaluation harness (``lm-eval``), where the consortium asks for some.

``tasks.yaml`` of the consortium's folder names them. The harness runs in a process of its own, with
the model's folder and without network: tasks whose data it would have to download are the
consortium's own, as files in a folder, or are refused.
"""

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import Field

from dsk_assets.consortium.policy import Section
from dsk_assets.consortium.reading import read_config
from dsk_assets.errors import SettingsError, TrainingError
from dsk_assets.lake.digests import sha256_file, sha256_set
from dsk_assets.lake.folders import files_below

FILE = "tasks.yaml"
LIBRARY = "lm-eval"
_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


class Tasks(Section):
    """The content of ``tasks.yaml``."""

    tasks: tuple[str, ...] = Field(min_length=1)
    """Names of tasks."""
    folder: str | None = None
    """Folder with tasks of one's own (YAML, as the harness reads it) and their data, relative to
    the consortium's; the tasks name their data from there."""
    limit: int | None = Field(None, ge=1)
    """Examples of each task at most."""


def load_tasks(consortium: Path) -> Tasks | None:
    """The consortium's ``tasks.yaml``; None without one."""
    path = consortium / FILE
    return read_config(path, Tasks) if path.is_file() else None


def described(tasks: Tasks, consortium: Path) -> dict[str, Any]:
    """All that the results depend on beside the model.

    Raises :class:`SettingsError` where the library or the folder is not there.
    """
    try:
        library = version(LIBRARY)
    except PackageNotFoundError:
        raise SettingsError(
            f'{FILE} names tasks, and {LIBRARY} is not installed — pip install "lm-eval[hf]", or '
            f"remove {FILE}"
        ) from None
    folder = consortium / tasks.folder if tasks.folder else None
    if folder and not folder.is_dir():
        raise SettingsError(f"{FILE}: folder is {tasks.folder!r}, which is not there")
    files = files_below(folder) if folder else {}
    digest = sha256_set((name, sha256_file(path)) for name, path in files.items())
    return {**tasks.model_dump(mode="json"), "files": digest, LIBRARY: library}


def results(model: Path, tasks: Tasks, consortium: Path) -> dict[str, dict[str, float]]:
    """Each task's measures (such as ``acc``) of the model in the folder *model*.

    Raises :class:`TrainingError` with the harness's last words when it fails.
    """
    own = (consortium / tasks.folder).resolve() if tasks.folder else None
    with tempfile.TemporaryDirectory() as name:
        command = [
            sys.executable, "-W", "ignore", "-m", "lm_eval", "run", "--model", "hf",
            "--model_args", f"pretrained={model},dtype=float32", "--batch_size", "8",
            "--tasks", ",".join(tasks.tasks), "--output_path", f"{name}/out",
        ]  # fmt: skip
        command += ["--include_path", str(own)] if own else []
        command += ["--limit", str(tasks.limit)] if tasks.limit else []
        done = subprocess.run(
            command, env=os.environ | _OFFLINE | {"HF_DATASETS_CACHE": f"{name}/data"},
            cwd=own or name, capture_output=True, text=True, check=False,
        )  # fmt: skip
        found = sorted(Path(name).glob("out/**/results_*.json"))
        if done.returncode or not found:
            last = " ".join(done.stderr.split()[-60:])
            raise TrainingError(
                f"{LIBRARY} could not run the tasks of {FILE}: {last} — tasks that need a download "
                "are to be put into the folder with their data"
            )
        content = json.loads(found[-1].read_bytes())["results"]
    return {
        task: {
            measure.removesuffix(",none"): round(value, 6)
            for measure, value in sorted(measures.items())
            if isinstance(value, float)
        }
        for task, measures in sorted(content.items())
    }
