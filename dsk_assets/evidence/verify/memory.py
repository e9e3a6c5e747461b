"""Checkpoints of the log that were seen before, kept outside the lake: what finds a rollback."""

from pathlib import Path

from dsk_assets.evidence.notes import Checkpoint, Note
from dsk_assets.evidence.verify.log import LogView
from dsk_assets.lake.digests import sha256_text
from dsk_assets.settings import Settings

SIGNED, VERIFIED = "checkpoint", "verified"


def recall(settings: Settings) -> dict[str, bytes]:
    """The notes remembered below ``DSK_HOME``, by their path: last signed here, last verified."""
    paths = [_path(settings, kind) for kind in (SIGNED, VERIFIED)]
    return {str(path): path.read_bytes() for path in paths if path.exists()}


def verified_size(settings: Settings, view: LogView) -> int:
    """How many entries were verified here before and stand unchanged."""
    path = _path(settings, VERIFIED)
    try:
        earlier = Checkpoint.parse(Note.parse(path.read_bytes()).text)
    except (FileNotFoundError, ValueError):
        return 0
    return 0 if list(view.continues(earlier, str(path))) else earlier.size


def remember(settings: Settings, view: LogView) -> None:
    """Keep the log's checkpoint as verified."""
    path = _path(settings, VERIFIED)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new-verified")
    temporary.write_bytes(view.note.serialise())
    temporary.replace(path)


def _path(settings: Settings, kind: str) -> Path:
    """Beside the log's own memory: a file for each lake."""
    return settings.home.resolve() / "log" / f"{sha256_text(settings.lake_url)[:16]}.{kind}"
