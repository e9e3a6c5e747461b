"""Writing statements that are no materialisations, and the signatures that two must give.

A statement that lacks a signature waits in ``evidence/pending``. When all roles have signed, it
moves to ``evidence/attestations``, where nothing changes any more and the log takes it up.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dsk_assets.errors import CorruptedError, MissingInputError, SettingsError
from dsk_assets.evidence import keys
from dsk_assets.evidence.entries import ATTESTATIONS, located, statement_path
from dsk_assets.evidence.envelope import Envelope, open_envelope, seal
from dsk_assets.evidence.keyring import KeyRing
from dsk_assets.evidence.predicates import roles
from dsk_assets.lake.store import Lake, Zone
from dsk_assets.settings import Settings

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

PENDING = f"{Zone.EVIDENCE}/pending"


@dataclass(frozen=True)
class Pending:
    """A statement that waits for signatures of the roles in *missing*."""

    asset: str
    partition: str | None
    number: int
    missing: tuple[str, ...]

    @property
    def path(self) -> str:
        """Where it lies."""
        return statement_path(PENDING, self.asset, self.partition, self.number)


def write(
    settings: Settings,
    lake: Lake,
    asset: str,
    partition: str | None,
    statement: dict[str, Any],
    *,
    number: int | None = None,
    needed: Sequence[str] = (),
    signers: Iterable["CryptoSigner"] = (),
) -> int:
    """Write *statement*, signed by the roles that it needs and this machine has, and by *signers*.

    *needed* are those roles where the predicate type alone does not say.
    Returns its number: *number*, where a statement that is there stays, else the next one.
    """
    needed = needed or roles(statement["predicateType"])
    held = [role for role in needed if keys.holds(settings, role)]
    if number is None:
        number = _next(lake, asset, partition)
    folder = ATTESTATIONS if len(held) == len(needed) else PENDING
    path = statement_path(folder, asset, partition, number)
    if any(
        lake.exists(statement_path(one, asset, partition, number))
        for one in (ATTESTATIONS, PENDING)
    ):
        return number
    envelope = seal(statement, [*(keys.signer(settings, role) for role in held), *signers])
    with lake.writing(path, replace=False) as temporary:
        temporary.write_bytes(envelope.as_bytes())
    return number


def newest(lake: Lake, asset: str, partition: str | None) -> Envelope | None:
    """The newest complete statement of an asset partition; None where there is none."""
    folder = statement_path(ATTESTATIONS, asset, partition, 0).rpartition("/")[0]
    names = lake.names(folder)
    return open_envelope(lake.read(f"{folder}/{names[-1]}")) if names else None


def pending(lake: Lake, ring: KeyRing, position: int) -> Iterator[Pending]:
    """Statements that wait for signatures, by path; keys count as they stand at *position*."""
    for path in lake.files(PENDING):
        try:
            envelope = open_envelope(lake.read(f"{PENDING}/{path}"))
            missing = ring.missing(envelope, position)
            yield Pending(*located(path), missing=missing)
        except (CorruptedError, ValueError, KeyError, TypeError):
            raise CorruptedError(
                f"{PENDING}/{path} is not a readable statement of its place — remove it"
            ) from None


def sign(
    lake: Lake, ring: KeyRing, position: int, waiting: Pending, signer: "CryptoSigner"
) -> Pending:
    """Add the signature of *signer* to a waiting statement; moves it when it is complete.

    Raises :class:`SettingsError` when the log does not know the key, or it is not the key of a
    role whose signature is missing.
    """
    key = ring.known.get(signer.public_key.keyid)
    if key is None or not key.holds_at(position):
        raise SettingsError(
            f"the log knows no key {signer.public_key.keyid} in force — have it added with "
            "`dsk evidence keys add`"
        )
    if key.role not in waiting.missing:
        raise SettingsError(
            f"a signature of the role {key.role} is not missing here; missing: "
            f"{', '.join(waiting.missing) or 'none'}"
        )
    envelope = open_envelope(lake.read(waiting.path)).signed(signer)
    missing = ring.missing(envelope, position)
    if key.role in missing:
        raise SettingsError(
            f"key {signer.public_key.keyid} is held by {key.holder}, and this is about a donation "
            "of another donor"
        )
    after = Pending(waiting.asset, waiting.partition, waiting.number, missing)
    if missing:
        with lake.writing(waiting.path) as path:
            path.write_bytes(envelope.as_bytes())
        return after
    final = statement_path(ATTESTATIONS, waiting.asset, waiting.partition, waiting.number)
    if not lake.exists(final):
        with lake.writing(final, replace=False) as path:
            path.write_bytes(envelope.as_bytes())
    lake.remove(waiting.path)
    return after


def find_pending(
    lake: Lake, ring: KeyRing, position: int, asset: str, partition: str | None
) -> Pending:
    """The newest waiting statement of an asset partition; :class:`MissingInputError` without."""
    found = [
        one
        for one in pending(lake, ring, position)
        if (one.asset, one.partition) == (asset, partition)
    ]
    if not found:
        named = f"{asset}[{partition}]" if partition else asset
        raise MissingInputError(
            f"no statement of {named} waits for signatures — "
            "`dsk evidence pending` lists those that do"
        )
    return found[-1]


def _next(lake: Lake, asset: str, partition: str | None) -> int:
    numbers = [
        int(name.removesuffix(".json"))
        for folder in (ATTESTATIONS, PENDING)
        for name in lake.names(statement_path(folder, asset, partition, 0).rpartition("/")[0])
    ]
    return max(numbers, default=0) + 1
