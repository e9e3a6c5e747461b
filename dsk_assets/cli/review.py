"""``dsk privacy review``: the terminal in which a person reads a sample of redacted text."""

import os
import shutil
import signal
import sys
import termios
import textwrap
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from dsk_assets.consortium.languages import danish
from dsk_assets.consortium.policy import REVIEWERS

if TYPE_CHECKING:
    from dsk_assets.privacy.review import Review

ENTER, LEAVE, CLEAR = "\x1b[?1049h", "\x1b[?1049l", "\x1b[2J\x1b[H"
"""The terminal's second screen, which keeps no history: no text stays when the review ends."""
DIM, BOLD, PLAIN = "\x1b[2m", "\x1b[1m", "\x1b[0m"
KEYS = (
    "space  no personal data / ingen personoplysninger      "
    "l  personal data is left / der er noget tilbage\n"
    "u  undo / fortryd                                      "
    "q  stop, go on later / stop, fortsæt senere"
)
GUIDE = (
    "Is anything left in the bright passage that leads to a person, alone or with the rest? "
    "In doubt: l.\n"
    "Er der noget tilbage i det lyse stykke, der kan føre til en person, alene eller sammen med "
    "resten? I tvivl: l."
)
KINDS = {
    "digits": "with long numbers / med lange tal",
    "capitals": "with capitals inside sentences / med store bogstaver inde i sætninger",
    "rest": "all others / alle andre",
}
SMALL = (
    "The passage does not fit into this terminal: enlarge it, then press a key (q: stop).\n"
    "Stykket kan ikke være i terminalen: gør den større, og tryk på en tast (q: stop)."
)
WIDTH = 90
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command()
@click.argument("donation")
@click.option("--role", type=click.Choice(REVIEWERS), required=True, help="What the reader is.")
@click.option("--passages", default=400, show_default=True, help="Passages to read, of 20 words.")
def review(donation: str, role: str, passages: int) -> None:
    """Read a random sample of DONATION's redacted text and count what was missed.

    Læs en stikprøve af donationens tekst og tæl, hvad der er overset.

    Text is shown in this terminal and nowhere else; only counts are kept. A review that is left
    goes on where it stopped. When all passages have been read, the counts are recorded as
    filtering/review, with an upper bound (95 %) on leaks for each 100,000 words, and the gate on
    personal data judges by it in the next run. Names that the donation's policy keeps are no leaks.
    Once the texts change, through another policy or recogniser, they are reviewed anew; once the
    donation is withdrawn, nobody may read them.
    """
    from dsk_assets.consortium.policy import policy_for
    from dsk_assets.evidence import sequencer
    from dsk_assets.evidence.catalog import Catalog
    from dsk_assets.lake.progress import shown
    from dsk_assets.privacy.review import Review
    from dsk_assets.settings import load_settings

    settings = load_settings()
    policy = policy_for(settings.consortium, donation.split("@")[0]).personal_data
    kept = [one.name or f"all of type {one.entity}" for one in policy.keep]
    catalog = Catalog(settings, run_id="dsk")
    with shown():
        begun = Review(catalog, donation, role, passages)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.ClickException(
            "a review shows text that must not be written anywhere — run it in a terminal"
        )
    if begun.anew:
        click.confirm(
            "The texts have changed since the review began: it begins again.\n"
            "Teksterne er ændret, siden gennemgangen begyndte: den begynder forfra.\n"
            "Go on / fortsæt?",
            default=True,
            abort=True,
        )
    with _keyboard() as key:
        done = read(begun, key, lambda text: click.echo(text, nl=False), kept)
    if not done:
        click.echo(
            f"{begun.position} of {len(begun.sample.passages)} passages read; not recorded yet. "
            "The same command goes on. / Samme kommando fortsætter."
        )
        return
    bound = begun.finish().json("review.json")["bound"]
    sequencer.append_new(catalog)
    click.echo(found(begun.position, begun.leaks, bound))


def found(passages: int, leaks: int, bound: float) -> str:
    """What a review came to, in English and Danish: *leaks* in *passages*, at most *bound* left."""
    return (
        f"{passages:,} passages read, personal data left in {leaks:,}: with 95 % confidence at "
        f"most {bound:,} leaks for each 100,000 words.\n"
        f"{danish(f'{passages:,}')} stykker læst, noget tilbage i {danish(f'{leaks:,}')}: med "
        f"95 % sikkerhed højst {danish(f'{bound:,}')} rester pr. 100.000 ord."
    )


def read(
    begun: "Review", key: Callable[[], str], write: Callable[[str], object], kept: list[str]
) -> bool:
    """Show passage after passage until all are read (True) or the reader stops (False).

    One that the terminal cannot show whole waits for a larger one: half read is not read.
    """
    write(ENTER)
    try:
        while begun.current is not None:
            page = _page(begun, kept)
            write(CLEAR + (page or SMALL))
            pressed = key()
            if pressed in ("q", "Q"):
                return False
            if page is None:
                continue
            if pressed in (" ", "\r", "\n"):
                begun.answer(False)
            elif pressed in ("l", "L"):
                begun.answer(True)
            elif pressed in ("u", "U"):
                begun.undo()
    except (KeyboardInterrupt, EOFError):
        return False
    finally:
        write(CLEAR + LEAVE)
    return True


@contextmanager
def _keyboard() -> Iterator[Callable[[], str]]:
    """A function that waits for the next key, which is not shown.

    Whoever ends the process leaves the screen clean, and nobody puts it aside with text on it.
    """

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    usual = {number: signal.signal(number, stop) for number in ENDS}
    usual[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal, termios.TCSADRAIN)

    def key() -> str:
        pressed = os.read(terminal, 1)
        if not pressed:
            raise EOFError
        return pressed.decode("latin-1")

    try:
        yield key
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        for number, handler in usual.items():
            signal.signal(number, handler)


def _page(begun: "Review", kept: list[str]) -> str | None:
    """The current passage with what stands round it; None where the terminal cannot hold it."""
    passage = begun.current
    assert passage is not None
    columns, rows = shutil.get_terminal_size()
    width = min(WIDTH, columns)
    stays = f"May stay / må blive stående: {', '.join(kept)}\n" if kept else ""
    head = (
        f"{begun.position + 1} / {len(begun.sample.passages)}   ({KINDS[passage.stratum]})\n"
        f"{GUIDE}\n{stays}"
    )
    before, bright, after = (
        textwrap.wrap(_printable(text), width)
        for text in (passage.before, passage.text, passage.after)
    )
    room = rows - 1 - _height(head, columns) - _height(KEYS, columns) - len(bright) - 3
    if room < 0:
        return None
    above = min(len(before), max(room // 2, room - len(after)))
    lines = (before[len(before) - above :], bright, after[: room - above])
    shown = "\n\n".join(
        f"{style}{chr(10).join(part)}{PLAIN}"
        for style, part in zip((DIM, BOLD, DIM), lines, strict=True)
        if part
    )
    return f"{head}\n{shown}\n\n{KEYS}\n"


def _height(text: str, columns: int) -> int:
    """Rows that *text* takes where the terminal breaks its lines."""
    return sum(max(1, -(-len(line) // columns)) for line in text.split("\n"))


def _printable(text: str) -> str:
    """*text* without characters that would steer the terminal."""
    return "".join(one if one.isprintable() or one == "\n" else " " for one in text)
