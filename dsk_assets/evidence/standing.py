"""How the log stands, in words: its size, its keys, its witnesses, and what is not proven."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from dsk_assets.evidence import attestations, predicates
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.keyring import KeyRing, replay
from dsk_assets.evidence.keys import LOG, WITNESS
from dsk_assets.evidence.log import Log, parse_checkpoint
from dsk_assets.evidence.log_index import LogIndex
from dsk_assets.evidence.notes import Note, NoteKey

NO_WITNESS = (
    "No witness has cosigned the log. It shows that nothing was changed by others than its "
    "operator; it does not show that the operator keeps one log for all, nor when an entry was "
    "made.",
    "Intet vidne har medunderskrevet loggen. Den viser, at ingen andre end den driftsansvarlige "
    "har ændret noget; den viser ikke, at alle ser den samme log, eller hvornår noget blev "
    "skrevet.",
)
DEVELOPMENT = (
    "These keys are development keys, kept on the same machine as the data: {roles}.",
    "Disse nøgler er udviklingsnøgler, der ligger på samme maskine som dataene: {roles}.",
)
WAITING = (
    "Approvals or releases wait for a second signature and are not in the log.",
    "Godkendelser eller udgivelser venter på endnu en underskrift og er ikke i loggen.",
)


@dataclass(frozen=True)
class Witnessed:
    """How far a witness has followed the log, and when it last cosigned (UTC)."""

    name: str
    size: int
    at: dt.datetime


@dataclass(frozen=True)
class Standing:
    """The state of the log: ``key`` is its public key (vkey), ``root`` in hexadecimal.

    ``unproven`` says in English and Danish what the log does not show.
    """

    origin: str
    key: str
    size: int
    root: str
    witnesses: tuple[Witnessed, ...]
    pending: int
    unproven: tuple[tuple[str, str], ...]

    def as_json(self) -> dict[str, Any]:
        """The standing as JSON."""
        return {
            "origin": self.origin,
            "key": self.key,
            "size": self.size,
            "root": self.root,
            "witnesses": [
                {"name": one.name, "size": one.size, "at": one.at.isoformat()}
                for one in self.witnesses
            ],
            "pending": self.pending,
            "unproven": [{"en": en, "da": da} for en, da in self.unproven],
        }

    def as_text(self) -> str:
        """The standing as lines of text."""
        if not self.size:
            return "The log is empty."
        lines = [f"Log {self.origin}: {self.size} entries, root {self.root}", f"Key {self.key}"]
        lines += [
            f"Witness {one.name}: {one.size} entries, {one.at:%Y-%m-%d %H:%M} UTC"
            for one in self.witnesses
        ]
        lines += [f"{self.pending} statements wait for signatures"] * bool(self.pending)
        lines += [f"Not proven: {english}" for english, _ in self.unproven]
        return "\n".join(lines)


def standing(catalog: Catalog) -> Standing:
    """The state of the log in the catalog's lake; an empty one where there is none."""
    log = Log(catalog.settings, catalog.lake)
    checkpoint = log.checkpoint()
    if checkpoint is None:
        return Standing("", "", 0, "", (), 0, ())
    with LogIndex(log).opened() as index:
        ring = replay(index.of_type(predicates.KEY), catalog.lake)
    witnesses = tuple(_witnesses(log, ring, checkpoint.size))
    waiting = len(list(attestations.pending(catalog.lake, ring, checkpoint.size)))
    roles = ", ".join(sorted({one.role for one in ring.at(checkpoint.size) if one.development}))
    unproven = [
        (text[0].format(roles=roles), text[1].format(roles=roles))
        for text, applies in (
            (NO_WITNESS, not witnesses),
            (DEVELOPMENT, roles),
            (WAITING, waiting),
        )
        if applies
    ]
    return Standing(
        checkpoint.origin,
        " ".join(one.vkey for one in ring.at(checkpoint.size, LOG) if one.vkey),
        checkpoint.size,
        checkpoint.root.hex(),
        witnesses,
        waiting,
        tuple(unproven),
    )


def _witnesses(log: Log, ring: KeyRing, position: int) -> list[Witnessed]:
    """Those witnesses whose key the log knows and whose cosignature is right."""
    notes = log.witnessed()
    found = []
    for known in ring.at(position, WITNESS):
        key = NoteKey.parse(known.vkey or "")
        note = notes.get(key.name)
        time = _cosigned(note, key) if note else None
        if note is not None and time is not None:
            moment = dt.datetime.fromtimestamp(time, dt.UTC)
            found.append(Witnessed(key.name, parse_checkpoint(note).size, moment))
    return found


def _cosigned(note: Note, key: NoteKey) -> int | None:
    try:
        return note.verify(key)
    except ValueError:
        return None
