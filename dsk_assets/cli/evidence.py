"""``dsk evidence …``: signed statements, the log that holds them, and the keys."""

from pathlib import Path

import click

from dsk_assets.cli.verification import pack, verify
from dsk_assets.counted import counted
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.settings import load_settings


@click.group()
def evidence() -> None:
    """Signed statements, the log that nobody can quietly change, and its proofs."""


evidence.add_command(verify)
evidence.add_command(pack)


def _catalog() -> Catalog:
    return Catalog(load_settings(), run_id="dsk")


@evidence.command()
def status() -> None:
    """Say how far the log has come, who has witnessed it, and what is not proven."""
    from dsk_assets.evidence.standing import standing

    click.echo(standing(_catalog()).as_text())


@evidence.command()
def append() -> None:
    """Take up into the log what is not in it yet; the nightly run does this by itself."""
    from dsk_assets.evidence import sequencer

    appended = sequencer.append_new(_catalog())
    click.echo(
        f"{counted(appended.added, 'statement')} taken up; entries in the log: {appended.size}"
    )


@evidence.command()
@click.argument("asset")
@click.argument("partition", required=False)
@click.option("--number", type=click.IntRange(min=1), help="Which statement; default the newest.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write to, by custom NAME.tlog-proof; default standard output.",
)
def proof(asset: str, partition: str | None, number: int | None, out: Path | None) -> None:
    """Write the proof that the statement of ASSET [PARTITION] is in the log.

    The file follows c2sp.org/tlog-proof. What was logged is the entry that is printed to standard
    error; its field `envelope` is the SHA-256 of the statement's file. `dsk evidence check-proof`
    checks it anywhere.
    """
    from dsk_assets.evidence.proofs import prove

    found = prove(_catalog(), asset, partition, number)
    click.echo(found.entry.as_bytes().decode(), err=True)
    if out is None:
        click.echo(found.text, nl=False)
    else:
        out.write_text(found.text, encoding="utf-8")


@evidence.command("check-proof")
@click.argument("proof", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--statement",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The statement's file, as it lies in the lake or in an evidence pack.",
)
@click.option(
    "--entry",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The entry that `dsk evidence proof` printed; default told from STATEMENT's path.",
)
@click.option(
    "--vkey",
    "vkeys",
    multiple=True,
    required=True,
    help="Key of the log or of a witness that must have signed; repeatable.",
)
def check_proof(proof: Path, statement: Path, entry: Path | None, vkeys: tuple[str, ...]) -> None:
    """Check the file PROOF (.tlog-proof) without the log, the lake and the network.

    It shows that the statement in FILE was in the log when the log had the size that is printed.
    Take the keys from a source that you trust: `dsk evidence status` shows the log's, `dsk evidence
    witness` that of a witness.
    """
    from dsk_assets.evidence import proofs
    from dsk_assets.evidence.entries import Entry
    from dsk_assets.evidence.witness import note_key

    data = statement.read_bytes()
    of = Entry.parse(entry.read_bytes()) if entry else proofs.entry_of(statement, data)
    found = proofs.check(proof.read_bytes(), data, of, [note_key(one) for one in vkeys])
    log = found.checkpoint
    click.echo(f"{of.key} is entry {found.position} of the log {log.origin}, {log.size} entries")
    for name, time in found.signed.items():
        click.echo(f"signed by {name}" + (f" at {time:%Y-%m-%d %H:%M} UTC" if time else ""))


@evidence.group()
def keys() -> None:
    """Keys that sign statements and the log."""


@keys.command("list")
def list_keys() -> None:
    """List the keys that the log knows, with a witness's name and the holder, and those here."""
    from dsk_assets.evidence import keys as private
    from dsk_assets.evidence import sequencer
    from dsk_assets.evidence.notes import NoteKey

    catalog = _catalog()
    ring, size = sequencer.keyring(catalog)
    own = {
        private.signer(catalog.settings, role).public_key.keyid: role
        for role in private.own_roles(catalog.settings)
        if private.is_there(catalog.settings, role)
    }
    for keyid, key in ring.known.items():
        state = "in force" if key.holds_at(size) else "revoked" if key.revoked else "replaced"
        notes = [NoteKey.parse(key.vkey).name] if key.role == private.WITNESS and key.vkey else []
        notes += [f"CVR {key.holder}"] if key.holder else []
        notes += ["development"] * key.development + ["here"] * (own.pop(keyid, None) is not None)
        span = f"entries {key.since}–{'' if key.until is None else key.until - 1}"
        click.echo(f"{key.role:<11} {keyid}  {state}, {span}  {' '.join(notes)}".rstrip())
    for keyid, role in own.items():
        click.echo(f"{role:<11} {keyid}  not in the log yet  here")


@keys.command("add")
@click.argument("key")
@click.option(
    "--role",
    type=click.Choice(["donor", "consortium", "witness"]),
    required=True,
    help="What its signatures count for.",
)
@click.option("--holder", help="CVR number of the organisation that holds it; never a person.")
def add_key(key: str, role: str, holder: str | None) -> None:
    """Add a member's public KEY: a PEM file, or for a witness its vkey.

    A member makes a key with `openssl genpkey -algorithm ed25519 -out key.pem` and gives away the
    public part, `openssl pkey -in key.pem -pubout`. A witness gives the vkey that
    `dsk evidence witness` prints. Every key but the first of its role waits until the consortium
    has signed for it too.
    """
    from dsk_assets.evidence import rotation

    keyid, is_logged = rotation.add_given(_catalog(), role, key, holder)
    if is_logged:
        click.echo(f"added key {keyid} for {role}")
    else:
        click.echo(f"key {keyid} for {role} waits for the consortium's signature:")
        click.echo(f"dsk evidence sign key/{role} {keyid} --key FILE")


@keys.command("rotate")
@click.argument("role", type=click.Choice(["statements", "log", "consortium", "donor"]))
@click.option(
    "--to",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Private key that takes its place (PEM); default a new development key.",
)
@click.option("--reason", help="Goes into the log: nothing about a person.")
def rotate_key(role: str, to: Path | None, reason: str | None) -> None:
    """Replace this machine's key of ROLE: old and new key sign a statement in the log."""
    from dsk_assets.evidence import keys as private
    from dsk_assets.evidence import rotation

    catalog = _catalog()
    keyid = rotation.rotate(catalog, role, to, reason)
    click.echo(f"{role} is now signed for with key {keyid}")
    if to is not None:
        place = private.place(catalog.settings, role)
        click.echo(f"Before anything else runs, put it where the old one was: {to} as {place}")


@keys.command("revoke")
@click.argument("keyid")
@click.option("--reason", required=True, help="Goes into the log: nothing about a person.")
def revoke_key(keyid: str, reason: str) -> None:
    """End the key KEYID: nothing counts that it signs after this entry of the log."""
    from dsk_assets.evidence import rotation

    rotation.revoke(_catalog(), keyid, reason)
    click.echo(f"key {keyid} is revoked")


@evidence.command()
def pending() -> None:
    """List statements that wait for a second signature, and whose."""
    from dsk_assets.evidence import attestations, sequencer

    catalog = _catalog()
    ring, size = sequencer.keyring(catalog)
    waiting = list(attestations.pending(catalog.lake, ring, size))
    for one in waiting:
        click.echo(f"{one.asset} {one.partition or ''} {one.number}: {', '.join(one.missing)}")
    if not waiting:
        click.echo("nothing waits for signatures")


@evidence.command()
@click.argument("asset")
@click.argument("partition", required=False)
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="Your private key (PEM); the log must know its public part.",
)
def sign(asset: str, partition: str | None, key: Path) -> None:
    """Sign the statement of ASSET [PARTITION] that waits for signatures."""
    from dsk_assets.evidence import attestations, sequencer
    from dsk_assets.evidence import keys as private

    catalog = _catalog()
    ring, size = sequencer.keyring(catalog)
    waiting = attestations.find_pending(catalog.lake, ring, size, asset, partition)
    after = attestations.sign(catalog.lake, ring, size, waiting, private.load(key))
    if after.missing:
        click.echo(f"signed; still missing: {', '.join(after.missing)}")
    else:
        sequencer.append_new(catalog)
        click.echo("signed by all, and taken up into the log")


@evidence.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--name", required=True, help="The witness's name, such as witness.member.example.")
@click.option(
    "--key",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The witness's private key (PEM); made where there is none.",
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File in which the witness remembers what it cosigned; keep it safe.",
)
@click.option("--log-key", help="The log's key (vkey); needed at first, and when it was replaced.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the cosigned checkpoint; default in SOURCE, or standard output.",
)
def witness(
    source: Path, name: str, key: Path, state: Path, log_key: str | None, out: Path | None
) -> None:
    """Cosign the log's newest checkpoint, when the log is the one cosigned before, gone on.

    SOURCE is a copy of the folder evidence/log, or a file made by `dsk evidence request`. Run by
    a member organisation on its own machine; needs no network and no lake. Exit code 1, and
    nothing signed, when the log has gone back or is another one.
    """
    from dsk_assets.evidence import keys as private
    from dsk_assets.evidence import witness as witnessing

    if not key.exists():
        private.make(key)
        click.echo(f"made the witness's key {key}", err=True)
    public = witnessing.vkey(name, key)
    is_folder = source.is_dir()
    offered = witnessing.from_folder(source) if is_folder else witnessing.from_request(source)
    pinned = witnessing.note_key(log_key) if log_key else None
    note = witnessing.cosign(offered, name, key, state, pinned)
    click.echo(f"cosigned as {public}", err=True)
    if out is None and is_folder:
        out = witnessing.witness_file(source, name)
    if out is None:
        click.echo(note.serialise().decode(), nl=False)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(note.serialise())


@evidence.command()
@click.option("--old", type=click.IntRange(min=0), default=0, help="Size it last cosigned.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
def request(old: int, out: Path) -> None:
    """Write a file to send to a witness: the newest checkpoint, proven to go on from size OLD."""
    from dsk_assets.evidence.log import Log
    from dsk_assets.evidence.witness import request as make

    catalog = _catalog()
    log = Log(catalog.settings, catalog.lake)
    out.write_text(make(log, old), encoding="utf-8")
    click.echo(f"{out}: the checkpoint over {log.tree().size} entries, to send to the witness")


@evidence.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def cosignature(file: Path) -> None:
    """Keep the checkpoint in FILE that a witness has cosigned and sent back."""
    from dsk_assets.evidence import sequencer
    from dsk_assets.evidence.log import Log, parse_note
    from dsk_assets.evidence.witness import accept

    catalog = _catalog()
    log = Log(catalog.settings, catalog.lake)
    name = accept(log, sequencer.keyring(catalog)[0], parse_note(file.read_bytes(), str(file)))
    click.echo(f"kept the cosignature of {name}")


@evidence.command()
@click.argument("asset")
@click.argument("partition")
@click.option("--number", type=click.IntRange(min=1), default=1, help="Which statement.")
@click.option("--reason", required=True, help="Stays in the log: a rule or case, no person.")
def erase(asset: str, partition: str, number: int, reason: str) -> None:
    """Erase what is kept apart of the statement of ASSET PARTITION, such as a reason.

    The statement stays and still verifies; another in the log says that its detail was erased.
    """
    from dsk_assets.evidence import details

    digest, was_there = details.erase(_catalog(), asset, partition, number, reason)
    if was_there:
        click.echo(f"erased the detail sha256:{digest}")
    else:
        click.echo(f"the detail sha256:{digest} had been erased already; nothing was changed")
