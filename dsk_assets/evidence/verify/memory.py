"""Checkpoints of the log that were seen before, kept outside the lake: what finds a rollback."""

import os
from collections.abc import Iterator

from dsk_assets.evidence.log import SIGNED, keep, memory
from dsk_assets.evidence.notes import Checkpoint, Note
from dsk_assets.evidence.verify.faults import Fault
from dsk_assets.evidence.verify.log import LogView
from dsk_assets.settings import Settings

VERIFIED = "verified"
"""The kind of memory that holds the checkpoint last verified here."""


def recall(settings: Settings) -> tuple[dict[str, bytes], list[Fault]]:
    """The notes remembered below ``DSK_HOME`` by their path: last signed here, last verified.

    And a limit for each that is there and cannot be read, or holds no checkpoint: that says
    nothing of the log.
    """
    found, limits = {}, []
    for path in (memory(settings, kind) for kind in (SIGNED, VERIFIED)):
        try:
            data = path.read_bytes()
            Checkpoint.parse(Note.parse(data).text)
            found[str(path)] = data
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            limits.append(Fault("memory-unusable", str(path), os.strerror(error.errno or 0)))
        except ValueError as error:
            limits.append(Fault("memory-unusable", str(path), str(error)))
    return found, limits


def verified_size(settings: Settings, view: LogView) -> int:
    """How many entries were verified here before and stand unchanged."""
    path = memory(settings, VERIFIED)
    try:
        earlier = Checkpoint.parse(Note.parse(path.read_bytes()).text)
    except (OSError, ValueError):
        return 0
    return 0 if list(view.continues(earlier, str(path))) else earlier.size


def remember(settings: Settings, view: LogView) -> Iterator[Fault]:
    """Keep the log's checkpoint as verified; a limit where it cannot be kept."""
    path = memory(settings, VERIFIED)
    note = view.note.serialise()
    try:
        if not path.exists() or path.read_bytes() != note:
            keep(path, note)
    except OSError as error:
        yield Fault("memory-unusable", str(path), os.strerror(error.errno or 0))
