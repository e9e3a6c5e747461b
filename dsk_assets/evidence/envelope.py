"""Signed statements: DSSE envelopes around in-toto statements, as they lie in the lake.

An envelope (https://github.com/secure-systems-lab/dsse/blob/master/envelope.md) is canonical JSON
of ``payload`` (Base64 of the statement's canonical JSON), ``payloadType`` and ``signatures``.
A statement's digest is that of its payload, so it does not change with who has signed it.
"""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dsk_assets.errors import CorruptedError
from dsk_assets.lake.digests import canonical_json, sha256_bytes

if TYPE_CHECKING:
    from securesystemslib.signer import Key, Signer

PAYLOAD_TYPE = "application/vnd.in-toto+json"


@dataclass(frozen=True)
class Envelope:
    """A payload and the signatures over it by key id; that one stands here proves nothing yet."""

    payload: bytes
    signatures: Mapping[str, bytes]

    @cached_property
    def statement(self) -> dict[str, Any]:
        """The statement in the payload."""
        statement: dict[str, Any] = json.loads(self.payload)
        return statement

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the payload: the statement's digest."""
        return sha256_bytes(self.payload)

    def signed_by(self, keys: Iterable["Key"]) -> set[str]:
        """Ids of those of *keys* whose signature is here and right."""
        from securesystemslib.exceptions import UnverifiedSignatureError
        from securesystemslib.signer import Signature

        found = set()
        for key in keys:
            signature = self.signatures.get(key.keyid)
            if signature is None:
                continue
            try:
                key.verify_signature(Signature(key.keyid, signature.hex()), pae(self.payload))
                found.add(key.keyid)
            except UnverifiedSignatureError:
                continue
        return found

    def signed(self, signer: "Signer") -> "Envelope":
        """The same with a signature by *signer* besides."""
        signature = signer.sign(pae(self.payload))
        return Envelope(
            self.payload,
            {**self.signatures, signature.keyid: bytes.fromhex(signature.signature)},
        )

    def as_bytes(self) -> bytes:
        """The envelope as it lies in the lake."""
        return canonical_json(
            {
                "payload": base64.b64encode(self.payload).decode(),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [
                    {"keyid": keyid, "sig": base64.b64encode(signature).decode()}
                    for keyid, signature in sorted(self.signatures.items())
                ],
            }
        )


def pae(payload: bytes) -> bytes:
    """What is signed: DSSE's pre-authentication encoding of payload type and payload."""
    return b"DSSEv1 %d %b %d %b" % (
        len(PAYLOAD_TYPE),
        PAYLOAD_TYPE.encode(),
        len(payload),
        payload,
    )


def seal(statement: Mapping[str, Any], signers: Sequence["Signer"]) -> Envelope:
    """The envelope of *statement*, signed by each of *signers*."""
    envelope = Envelope(canonical_json(statement), {})
    for signer in signers:
        envelope = envelope.signed(signer)
    return envelope


def open_envelope(data: bytes) -> Envelope:
    """The envelope that *data* holds; its signatures are not verified.

    Raises :class:`CorruptedError` for anything but an envelope around a JSON object.
    """
    try:
        content = json.loads(data)
        if content["payloadType"] != PAYLOAD_TYPE:
            raise ValueError(content["payloadType"])
        envelope = Envelope(
            base64.b64decode(content["payload"], validate=True),
            {
                str(one["keyid"]): base64.b64decode(one["sig"], validate=True)
                for one in content["signatures"]
            },
        )
        if not isinstance(envelope.statement, dict):
            raise ValueError("not an object")
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CorruptedError("this is not a readable signed statement") from None
    return envelope
