"""OpenSSF model signatures (https://github.com/sigstore/model-transparency), with a key of ours.

The library takes ECDSA alone, so a released model has a key of its own beside those of the log.
"""

import logging
import re
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from dsk_assets.errors import SettingsError
from dsk_assets.evidence import keys
from dsk_assets.settings import Settings

SIGNATURE = "model.sig"
PUBLIC_KEY = "model.pub"

_CHANGED = re.compile(r"Hash mismatch for '([^']+)'")
"""How the library names a changed file, before it prints the digests as Python writes bytes."""

_log = logging.getLogger(__name__)


def installed() -> bool:
    """Whether the library ``model-signing`` is there."""
    return find_spec("model_signing") is not None


def private_key(settings: Settings) -> Path:
    """The key's file; a development key is made where ``DSK_MODEL_KEY`` names none.

    Raises :class:`SettingsError` for a key that everybody on this machine may read.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    if settings.model_key is not None:
        with suppress(OSError):  # what is not there is named when it is read
            keys.require_private(settings.model_key, "DSK_MODEL_KEY")
        return settings.model_key
    path = keys.key_path(settings, "model")
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        keys.keep(path, made)
        _log.warning(
            "made a development key for models: %s — it is for trying things out; production gives "
            "its key by DSK_MODEL_KEY",
            path,
        )
    return path


def public_key(path: Path) -> bytes:
    """The public part of the key in *path*, as PEM; :class:`SettingsError` for no such key."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError
    except (OSError, ValueError, TypeError):
        raise SettingsError(
            f"DSK_MODEL_KEY: {path} is not a private key for ECDSA in PEM without a password — "
            "make one with `openssl ecparam -name prime256v1 -genkey -noout`"
        ) from None
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def sign(folder: Path, key: Path) -> None:
    """Write ``model.sig`` over all other files of *folder*; needs no network."""
    from model_signing import hashing, signing

    folder = folder.resolve()  # the library looks for a relative path to ignore inside the folder
    path = folder / SIGNATURE
    hashed = hashing.Config().set_ignored_paths(paths=[path])  # type: ignore[no-untyped-call]
    config = signing.Config()  # type: ignore[no-untyped-call]
    config.use_elliptic_key_signer(private_key=key).set_hashing_config(hashed).sign(folder, path)


def problem(folder: Path) -> str | None:
    """What is wrong with ``model.sig`` of *folder*; None where it is right."""
    from model_signing import verifying

    config = verifying.Config()  # type: ignore[no-untyped-call]
    try:
        config.use_elliptic_key_verifier(public_key=folder / PUBLIC_KEY)
        config.verify(folder, folder / SIGNATURE)
    except Exception as error:  # the library raises whatever it meets
        changed = _CHANGED.findall(str(error))
        why = f"signed with other bytes in {', '.join(changed)}" if changed else str(error)
        return f"{SIGNATURE}: {why or type(error).__name__}"
    return None
