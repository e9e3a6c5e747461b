"""A mail (RFC 5322): subject and body are a document, attachments are sources of their own."""

import email
import email.policy
from collections.abc import Iterator
from email.message import Message

from dsk_assets.intake.encoding import Encoding, NotText, detect
from dsk_assets.intake.items import Item, Skipped
from dsk_assets.intake.readers.html import main_text
from dsk_assets.intake.sources import Source


def read(source: Source, encoding: Encoding) -> Iterator[Item]:
    """The document and the attachments of the mail in *source*."""
    yield from read_message(source.read(), source.name)


def read_message(data: bytes, name: str) -> Iterator[Item]:
    """The document of one mail, then its attachments, named ``<name>!/<file name>``.

    Of the header only the subject is text. Of alternatives the plain one is taken, else HTML.
    Raises nothing for a broken mail: what cannot be parsed is text.
    """
    message = email.message_from_bytes(data, policy=email.policy.default)
    bodies: list[str] = []
    attached: list[Source] = []
    for part in _leaves(message):
        payload = _payload(part)
        kind = part.get_content_type()
        charset = part.get_content_charset()
        if _is_body(part):
            try:
                found = detect([payload], charset)
                text = payload.decode(found.name, found.errors)
                bodies.append(main_text(text) if kind == "text/html" else text)
            except NotText:
                yield Skipped("the body of a mail is in no known encoding")
        else:
            label = part.get_filename() or f"attachment-{len(attached) + 1}"
            attached.append(Source.of_bytes(payload, f"{name}!/{label}", charset))
    subject = str(message.get("subject", ""))
    yield "\n\n".join(text.strip() for text in (subject, *bodies) if text.strip())
    yield from attached


def _leaves(part: Message) -> Iterator[Message]:
    """The parts that hold content; of alternatives the best that can be read."""
    if part.get_content_type() == "message/rfc822" or not part.is_multipart():
        yield part
        return
    children = [child for child in part.get_payload() if isinstance(child, Message)]
    if part.get_content_type() == "multipart/alternative":
        for wanted in ("text/plain", "text/html"):
            chosen = [c for c in children if c.get_content_type() == wanted and _payload(c).strip()]
            if chosen:
                others = [c for c in children if c.get_content_maintype() != "text"]
                children = [chosen[0], *others]
                break
    for child in children:
        yield from _leaves(child)


def _is_body(part: Message) -> bool:
    return (
        part.get_content_type() in ("text/plain", "text/html")
        and part.get_content_disposition() != "attachment"
        and part.get_filename() is None
    )


def _payload(part: Message) -> bytes:
    """The part's bytes with the transfer encoding undone; an attached mail as it was sent."""
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload()
        first = inner[0] if isinstance(inner, list) and inner else None
        return first.as_bytes() if isinstance(first, Message) else b""
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""
