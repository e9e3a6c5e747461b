"""Private keys: who signs what on this machine, and where their keys come from.

Production gives the keys by ``DSK_SIGNING_KEY`` and ``DSK_LOG_KEY``: the path of a PKCS#8 file, or
its text. Without them, development keys are made on first use in ``DSK_HOME/keys``. They prove
that nothing was changed since by somebody without access to this machine, and no more.
"""

import logging
import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from dsk_assets.errors import SettingsError
from dsk_assets.settings import Settings

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

STATEMENTS = "statements"
"""Signs every statement that the platform writes."""

LOG = "log"
"""Signs the checkpoints of the log; Ed25519, as the format of checkpoints asks."""

CONSORTIUM = "consortium"
"""Signs approvals and releases for the consortium."""

DONOR = "donor"
"""Signs approvals for the donor."""

WITNESS = "witness"
"""Cosigns checkpoints of the log, on a machine of a member organisation."""

SCHEMES = ("ed25519", "ecdsa-sha2-nistp256")
"""Kinds of keys that can sign: Ed25519, and ECDSA on P-256."""

_log = logging.getLogger(__name__)


def signer(settings: Settings, role: str) -> "CryptoSigner":
    """The key of *role* on this machine; a development key is made where there is none.

    Raises :class:`SettingsError` when a key cannot be read, is readable by everybody, or is
    neither Ed25519 nor ECDSA on P-256.
    """
    given = _given(settings).get(role, "")
    if given.startswith("-----BEGIN"):
        return _parsed(given, _variable(role))
    if given:
        return _read(Path(given), _variable(role))
    path = key_path(settings, role)
    if not path.exists():
        if not is_development(settings, STATEMENTS) and role in (CONSORTIUM, DONOR):
            raise SettingsError(
                f"there is no key of the role {role} here — have its holder sign with "
                "`dsk evidence sign --key FILE`"
            )
        make(path)
        _log.warning(
            "made a development key for %s: %s — it is for trying things out; production gives "
            "its keys by DSK_SIGNING_KEY and DSK_LOG_KEY",
            role,
            path,
        )
    return _read(path, str(path))


def is_development(settings: Settings, role: str) -> bool:
    """Whether the key of *role* is one that the platform makes for itself."""
    return not _given(settings).get(role)


def is_there(settings: Settings, role: str) -> bool:
    """Whether this machine has a key of *role*."""
    return not is_development(settings, role) or key_path(settings, role).exists()


def holds(settings: Settings, role: str) -> bool:
    """Whether this machine has, or may make itself, a key of *role*."""
    return is_there(settings, role) or is_development(settings, STATEMENTS)


def own_roles(settings: Settings) -> tuple[str, ...]:
    """The roles whose keys this machine has for the platform's own use."""
    return tuple(one for one in (STATEMENTS, LOG, CONSORTIUM, DONOR) if holds(settings, one))


def key_path(settings: Settings, role: str) -> Path:
    """Where the development key of *role* lies."""
    return settings.home.resolve() / "keys" / f"{role}.pem"


def place(settings: Settings, role: str) -> str:
    """Where this machine's key of *role* is taken from: a setting's name, or its file."""
    settable = role in (STATEMENTS, LOG)
    return _variable(role) if settable else str(key_path(settings, role))


def next_path(settings: Settings, role: str) -> Path:
    """Where a development key lies that is about to replace that of *role*."""
    return settings.home.resolve() / "keys" / f"{role}.next.pem"


def make(path: Path) -> None:
    """Write a new Ed25519 key to *path*; see :func:`keep`."""
    from securesystemslib.signer import CryptoSigner

    keep(path, CryptoSigner.generate_ed25519().private_bytes)


def keep(path: Path, private: bytes) -> None:
    """Write a private key to *path*, readable by its owner alone; one that is there stays."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)  # with mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(private)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        temporary.unlink()


def load(path: Path) -> "CryptoSigner":
    """The private key in the file *path*; raises :class:`SettingsError` like :func:`signer`."""
    return _read(path, str(path))


def _given(settings: Settings) -> dict[str, str]:
    return {
        STATEMENTS: settings.signing_key.get_secret_value(),
        LOG: settings.log_key.get_secret_value(),
    }


def _variable(role: str) -> str:
    return {STATEMENTS: "DSK_SIGNING_KEY", LOG: "DSK_LOG_KEY"}[role]


def require_private(path: Path, name: str) -> os.stat_result:
    """Status of the key file *path*; :class:`SettingsError` where everybody may read it.

    *name* is where the key was given. Raises ``OSError`` where there is no such file.
    """
    stat = path.stat()
    if stat.st_mode & 0o007:
        raise SettingsError(
            f"{name}: the key is open to everybody on this machine — make it readable by its "
            f"owner alone: chmod 600 {path}"
        )
    return stat


def _read(path: Path, name: str) -> "CryptoSigner":
    try:
        stat = require_private(path, name)
        return _parsed_file(path, stat.st_ino, stat.st_mtime_ns, name)
    except OSError as error:
        raise SettingsError(
            f"{name}: the key cannot be read ({os.strerror(error.errno or 0)}) — name a PKCS#8 file"
        ) from None


@lru_cache
def _parsed_file(path: Path, inode: int, mtime_ns: int, name: str) -> "CryptoSigner":
    return _parsed(path.read_text("ascii", "replace"), name)


@lru_cache
def _parsed(text: str, name: str) -> "CryptoSigner":
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    try:
        key = CryptoSigner(load_pem_private_key(text.encode(), None))  # type: ignore[arg-type]
    except (ValueError, TypeError):
        raise SettingsError(
            f"{name}: this is not a private key in PEM without a password — make one with "
            "`openssl genpkey -algorithm ed25519`"
        ) from None
    if key.public_key.scheme not in SCHEMES:
        raise SettingsError(
            f"{name}: keys of {key.public_key.scheme} are not supported — use Ed25519 or ECDSA "
            "on P-256"
        )
    return key
