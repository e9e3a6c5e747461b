"""Signed notes, checkpoints and cosignatures, as C2SP defines them.

Needs the standard library and ``cryptography`` alone. Specifications: https://c2sp.org/signed-note,
https://c2sp.org/tlog-checkpoint and https://c2sp.org/tlog-cosignature (its Ed25519 form).
Everything that is not in the form they give raises ``ValueError``.
"""

import base64
import hashlib
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = 0x01
COSIGNATURE = 0x04


@dataclass(frozen=True)
class NoteKey:
    """A public key with its name: ``kind`` is ``ED25519`` or ``COSIGNATURE``."""

    name: str
    kind: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes by which signature lines name the key."""
        data = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(data).digest()[:4]

    @property
    def vkey(self) -> str:
        """The key as text: name, key id in hexadecimal, kind and key in Base64."""
        public = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{public}"

    @classmethod
    def parse(cls, vkey: str) -> "NoteKey":
        """The key that *vkey* writes."""
        name, key_id, encoded = vkey.strip().split("+", 2)
        data = base64.b64decode(encoded, validate=True)
        key = cls(name, data[0] if data else 0, data[1:])
        if key.kind not in (ED25519, COSIGNATURE) or len(key.public) != 32:
            raise ValueError("not an Ed25519 key")
        if not _is_name(name) or key.key_id.hex() != key_id:
            raise ValueError("the key's name or id is wrong")
        return key


@dataclass(frozen=True)
class Signature:
    """One signature line of a note."""

    name: str
    key_id: bytes
    value: bytes

    def line(self) -> str:
        """The line as it stands in the note."""
        return f"— {self.name} {base64.b64encode(self.key_id + self.value).decode()}\n"


@dataclass(frozen=True)
class Note:
    """A text that ends with a line break, and the signatures below it."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def serialise(self) -> bytes:
        """The note as bytes."""
        return f"{self.text}\n{''.join(one.line() for one in self.signatures)}".encode()

    @classmethod
    def parse(cls, data: bytes) -> "Note":
        """The note that *data* holds."""
        content = data.decode()
        if any(character < " " and character != "\n" for character in content):
            raise ValueError("a control character")
        text, found, lines = content.rpartition("\n\n")
        if not found or not lines.endswith("\n"):
            raise ValueError("no signatures")
        return cls(text + "\n", tuple(_signature(line) for line in lines[:-1].split("\n")))

    def signed(self, name: str, private: Ed25519PrivateKey) -> "Note":
        """The note with an Ed25519 signature by *private* besides."""
        return self._with(
            NoteKey(name, ED25519, _public(private)), private.sign(self.text.encode())
        )

    def cosigned(self, name: str, private: Ed25519PrivateKey, timestamp: int) -> "Note":
        """The note with a cosignature by the witness *name* besides."""
        value = struct.pack(">Q", timestamp) + private.sign(_cosigned_message(self.text, timestamp))
        return self._with(NoteKey(name, COSIGNATURE, _public(private)), value)

    def verify(self, key: NoteKey) -> int | None:
        """When *key* cosigned the note (0 where it signed it); None without its signature.

        The time is in POSIX seconds. Raises ``ValueError`` for a wrong signature of this key.
        """
        for signature in self.signatures:
            if (signature.name, signature.key_id) == (key.name, key.key_id):
                return self._verify(key, signature.value)
        return None

    def _with(self, key: NoteKey, value: bytes) -> "Note":
        kept = [one for one in self.signatures if (one.name, one.key_id) != (key.name, key.key_id)]
        return Note(self.text, (*kept, Signature(key.name, key.key_id, value)))

    def _verify(self, key: NoteKey, value: bytes) -> int:
        timestamp, message = 0, self.text.encode()
        if key.kind == COSIGNATURE:
            if len(value) != 72:
                raise ValueError("a cosignature of a wrong length")
            (timestamp,) = struct.unpack(">Q", value[:8])
            value, message = value[8:], _cosigned_message(self.text, timestamp)
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(value, message)
        except InvalidSignature:
            raise ValueError(f"the signature of {key.name} is wrong") from None
        return int(timestamp)


@dataclass(frozen=True)
class Checkpoint:
    """What a log says of itself: its name, how many entries it has, and the root of their tree."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The text of the note that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """The checkpoint in the *text* of a note; extension lines are left out."""
        lines = text.split("\n")
        if len(lines) < 4 or not all(lines[:-1]) or lines[-1]:
            raise ValueError("not a checkpoint")
        origin, size, root = lines[:3]
        if not size.isascii() or not size.isdecimal() or str(int(size)) != size:
            raise ValueError("not a size")
        decoded = base64.b64decode(root, validate=True)
        if len(decoded) != 32 or base64.b64encode(decoded).decode() != root:
            raise ValueError("not a SHA-256 root")
        return cls(origin, int(size), decoded)


def _cosigned_message(text: str, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def _signature(line: str) -> Signature:
    dash, name, encoded = line.split(" ")
    data = base64.b64decode(encoded, validate=True)
    written = base64.b64encode(data).decode() == encoded
    if dash != "—" or not _is_name(name) or len(data) < 5 or not written:
        raise ValueError("not a signature line")
    return Signature(name, data[:4], data[4:])


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(one.isspace() for one in name)


def _public(private: Ed25519PrivateKey) -> bytes:
    return private.public_key().public_bytes_raw()
