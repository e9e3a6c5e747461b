"""Faults that verification finds: a code, a place, what it affects, in English and Danish."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

TEXTS = {
    # files
    "file-missing": (
        "a file that a statement in force names is not there",
        "en fil, som en gældende erklæring nævner, findes ikke",
    ),
    "file-changed": (
        "a file has other bytes than its statement says",
        "en fil har andre bytes, end dens erklæring siger",
    ),
    "file-stray": (
        "no statement names this file, which lies among those that statements name",
        "ingen erklæring nævner denne fil, som ligger blandt dem, erklæringer nævner",
    ),
    # statements
    "statement-unreadable": (
        "this is not a statement that can be read",
        "dette er ikke en erklæring, der kan læses",
    ),
    "statement-schema": (
        "the statement does not have the form that its schema asks for",
        "erklæringen har ikke den form, som dens skema kræver",
    ),
    "statement-changed": (
        "the statement is not the one that the log holds",
        "erklæringen er ikke den, som loggen rummer",
    ),
    "statement-removed": (
        "the log holds a statement that is not there any more",
        "loggen rummer en erklæring, som ikke findes mere",
    ),
    "statement-not-logged": (
        "a statement is not in the log",
        "en erklæring er ikke i loggen",
    ),
    "statement-inconsistent": (
        "the statement contradicts itself",
        "erklæringen modsiger sig selv",
    ),
    "statement-order": (
        "the statements of this asset do not follow each other without a gap",
        "aktivets erklæringer følger ikke hinanden uden huller",
    ),
    "signature-missing": (
        "the signatures that are asked for are not there, or are not right",
        "de krævede underskrifter mangler eller passer ikke",
    ),
    "signature-by-unknown-key": (
        "it is signed, but by no key that was in force",
        "den er underskrevet, men ikke med en nøgle, der gjaldt",
    ),
    "attestation-missing": (
        "nothing in the log attests it: its test result, verification, approval or release",
        "intet i loggen attesterer det: dets testresultat, kontrol, godkendelse eller udgivelse",
    ),
    "attestation-differs": (
        "an attestation says something else than what it attests",
        "en attestation siger noget andet end det, den attesterer",
    ),
    "policy-differs": (
        "the rules that came along are not those that the log names",
        "de medfølgende regler er ikke dem, som loggen nævner",
    ),
    "release-missing": (
        "what shows the release is not there: its statement, or a gate's decision on it",
        "det, der viser udgivelsen, mangler: dens erklæring eller en ports afgørelse om den",
    ),
    "detail-not-erased": (
        "a detail that the log says was erased is there: erase it again",
        "en detalje, som ifølge loggen er slettet, findes: slet den igen",
    ),
    "key-not-trusted": (
        "a key was added, changed or revoked without a key in force signing for it",
        "en nøgle er tilføjet, skiftet eller spærret, uden at en gældende nøgle har skrevet under",
    ),
    "root-differs": (
        "the first key, which all trust rests on, is another one than was asked for",
        "den første nøgle, som al tillid hviler på, er en anden end den, der blev spurgt efter",
    ),
    "key-rotated-alone": (
        "a key was replaced without both the old key in force and the new one signing for it",
        "en nøgle er skiftet, uden at både den gamle, gældende og den nye har skrevet under",
    ),
    "key-without-consortium": (
        "a further key was added without the consortium signing for it",
        "endnu en nøgle er tilføjet, uden at konsortiet har skrevet under",
    ),
    "key-again": (
        "a key was added that was in the log before: it counts once, for one role",
        "en nøgle er tilføjet, som allerede var i loggen: den gælder én gang, i én rolle",
    ),
    "key-unknown": (
        "a key was revoked that the log does not know in that role",
        "en nøgle er spærret, som loggen ikke kender i den rolle",
    ),
    # the log
    "log-missing": ("there is no log", "der er ingen log"),
    "log-unsigned": (
        "the log's checkpoint is not signed by the log's key",
        "loggens kontrolpunkt er ikke underskrevet med loggens nøgle",
    ),
    "log-root": (
        "the log's entries give another root than the signed checkpoint",
        "loggens poster giver en anden rod end det underskrevne kontrolpunkt",
    ),
    "log-truncated": (
        "the log has fewer entries than its checkpoint says",
        "loggen har færre poster, end dens kontrolpunkt siger",
    ),
    "log-tile": (
        "a tile of the log does not hold the hashes of the entries",
        "en flise i loggen rummer ikke posternes hashværdier",
    ),
    "log-entry": (
        "an entry of the log cannot be read or names a statement twice",
        "en post i loggen kan ikke læses eller nævner en erklæring to gange",
    ),
    "log-rolled-back": (
        "the log is shorter than a checkpoint of it that was seen before",
        "loggen er kortere end et tidligere set kontrolpunkt af den",
    ),
    "log-forked": (
        "the log does not continue a checkpoint of it that was seen before: history was rewritten",
        "loggen fortsætter ikke et tidligere set kontrolpunkt: dens historie er skrevet om",
    ),
    "proof-wrong": (
        "the proof does not show that the statement is in the log",
        "beviset viser ikke, at erklæringen er i loggen",
    ),
    "witness-wrong": (
        "a witness's cosignature is not right",
        "et vidnes medunderskrift passer ikke",
    ),
    # lineage, order, gates
    "input-unknown": (
        "an input is neither made by an earlier statement nor a declared source",
        "et input er hverken lavet af en tidligere erklæring eller en erklæret kilde",
    ),
    "input-differs": (
        "an input has another digest than the statement that made it says",
        "et input har en anden digest, end den erklæring, der lavede det, siger",
    ),
    "inputs-incomplete": (
        "the list of inputs is not the one this was made from",
        "listen over input er ikke den, dette er lavet af",
    ),
    "time-backwards": (
        "time runs backwards: something ends before it starts, or starts before its inputs ended",
        "tiden går baglæns: noget slutter, før det begynder, eller begynder før sit input er slut",
    ),
    "time-after-witness": (
        "it was finished after the time at which a witness had already seen it in the log",
        "det blev færdigt efter det tidspunkt, hvor et vidne allerede havde set det i loggen",
    ),
    "time-ahead": (
        "it says that it was made after the present time",
        "den siger, at den er lavet efter nu",
    ),
    "redaction-after-use": (
        "it was made before the search for personal data had ended",
        "det er lavet, før søgningen efter persondata var slut",
    ),
    "redaction-missing": (
        "it was made from text that was not searched for personal data",
        "det er lavet af tekst, der ikke er gennemsøgt for persondata",
    ),
    "gate-missing": (
        "it was made without the decision of a gate that it needs",
        "det er lavet uden en afgørelse fra en port, som det kræver",
    ),
    "gate-refused": (
        "it was made although a gate had refused what it uses",
        "det er lavet, selv om en port havde afvist det, det bruger",
    ),
    "gate-other-bytes": (
        "the gate's decision is about other bytes than those that were used",
        "portens afgørelse handler om andre bytes end dem, der blev brugt",
    ),
    "gate-expired": (
        "the gate's decision had run out when it was used, or claims to hold for longer than what "
        "it rests on",
        "portens afgørelse var udløbet, da den blev brugt, eller angives at gælde længere end det, "
        "den hviler på",
    ),
    "verification-differs": (
        "it was made of something else than was verified before it",
        "det er lavet af andet end det, der blev kontrolleret forinden",
    ),
    "withdrawn-used": (
        "a donation was used after it had been withdrawn",
        "en donation er brugt, efter at den var trukket tilbage",
    ),
    # Dagster
    "dagster-unknown": (
        "Dagster knows of a materialisation that no statement names",
        "Dagster kender en materialisering, som ingen erklæring nævner",
    ),
    "dagster-differs": (
        "Dagster says something else of a materialisation than its statement",
        "Dagster siger noget andet om en materialisering end dens erklæring",
    ),
    "dagster-missing": (
        "Dagster does not know of a materialisation that one of its runs made",
        "Dagster kender ikke en materialisering, som en af dens kørsler har lavet",
    ),
    "dagster-unreadable": (
        "Dagster's records cannot be read",
        "Dagsters optegnelser kan ikke læses",
    ),
    # limits: nothing is wrong, but less is proven
    "no-witness": (
        "no witness has cosigned the log: nothing proves that others are shown the same log",
        "intet vidne har medunderskrevet loggen: intet beviser, at andre får vist den samme log",
    ),
    "witness-behind": (
        "no witness has cosigned the newest entries yet: ask one to",
        "intet vidne har endnu medunderskrevet de nyeste poster: bed et om det",
    ),
    "witness-silent": (
        "this witness is known and no checkpoint cosigned by it is here: ask it for its latest one",
        "dette vidne er kendt, men intet kontrolpunkt medunderskrevet af det er her: bed om dets"
        " seneste",
    ),
    "without-dagster": (
        "Dagster's own records were not compared",
        "Dagsters egne optegnelser er ikke sammenlignet",
    ),
    "dagster-unfinished": (
        "Dagster does not show what a run has made that it says is under way or ended badly",
        "Dagster viser ikke, hvad en kørsel har lavet, som efter dens udsagn er i gang eller"
        " endte dårligt",
    ),
    "no-memory": (
        "no earlier checkpoint is remembered here: a log rolled back before now would not be found",
        "intet tidligere kontrolpunkt huskes her: en log, der er rullet tilbage før nu, ville ikke"
        " blive opdaget",
    ),
    "memory-unusable": (
        "what is remembered here of the log cannot be read or kept: a later rollback of it might"
        " not be found",
        "det, der huskes her om loggen, kan ikke læses eller gemmes: rulles den senere tilbage,"
        " bliver det måske ikke opdaget",
    ),
    "keys-unconfirmed": (
        "the keys are those that came along: compare their fingerprints with those made public",
        "nøglerne er dem, der fulgte med: sammenlign deres fingeraftryk med de offentliggjorte",
    ),
    "development-keys": (
        "the keys are development keys, kept on the same machine as the data",
        "nøglerne er udviklingsnøgler, der ligger på samme maskine som dataene",
    ),
    "withdrawn-in-tokenizer": (
        "a tokenizer learnt from a donation that has since been withdrawn",
        "en tokenizer har lært af en donation, der siden er trukket tilbage",
    ),
    "file-unnamed": (
        "no statement here names these bytes",
        "ingen erklæring her nævner disse bytes",
    ),
}
"""What each code means, in English and Danish."""

LIMITS = frozenset(
    (
        "no-witness",
        "witness-behind",
        "witness-silent",
        "without-dagster",
        "dagster-unfinished",
        "no-memory",
        "memory-unusable",
        "keys-unconfirmed",
        "development-keys",
        "withdrawn-in-tokenizer",
        "file-unnamed",
    )
)
"""Codes of what is not wrong but limits what is proven."""


GROUPS = {
    "file": ("file",),
    "statement": (
        *("statement", "signature", "attestation", "key", "root", "policy", "release", "detail"),
    ),
    "log": ("log", "proof", "witness", "memory"),
    "lineage": ("input", "time", "redaction"),
    "gate": ("gate", "verification", "withdrawn"),
    "dagster": ("dagster",),
}
"""What faults are about, with the beginnings of their codes."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, or that limits what is proven.

    *place* is a file of the lake, an asset partition or a position in the log, *detail* what was
    expected and found, and *affects* names the releases, checkpoints and records reached from it.
    """

    code: str
    place: str
    detail: str = ""
    affects: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """What the fault is about: files, statements, log, lineage, gates or Dagster."""
        return next(group for group, starts in GROUPS.items() if self.code.startswith(starts))

    @property
    def is_limit(self) -> bool:
        """Whether nothing is wrong, but less is proven."""
        return self.code in LIMITS

    def text(self, language: str = "en") -> str:
        """The fault in words, ``en`` or ``da``."""
        meaning = TEXTS[self.code][language == "da"]
        return f"{self.place}: {meaning}" + (f" ({self.detail})" if self.detail else "")

    def as_json(self) -> dict[str, Any]:
        """The fault for programs, with both texts."""
        return {
            "code": self.code,
            "place": self.place,
            "detail": self.detail,
            "affects": list(self.affects),
            "limit": self.is_limit,
            "text": self.text(),
            "text_da": self.text("da"),
        }


def exit_code(faults: Iterable[Fault]) -> int:
    """0: all is proven; 1: nothing is wrong, but the proof has limits; 2: something is wrong."""
    return max((1 if fault.is_limit else 2 for fault in faults), default=0)


def report(faults: Iterable[Fault], language: str = "en") -> str:
    """The faults for a reader: what is wrong first, then what limits the proof."""
    words = {
        "en": ("WRONG", "LIMIT", "affects", "Nothing is wrong."),
        "da": ("FEJL", "FORBEHOLD", "berører", "Intet er galt."),
    }[language]
    ordered = sorted(faults, key=lambda fault: (fault.is_limit, fault.code, fault.place))
    lines = [] if exit_code(ordered) == 2 else [words[3]]
    for fault in ordered:
        lines.append(f"{words[fault.is_limit]}  {fault.code}  {fault.text(language)}")
        if fault.affects:
            lines.append(f"       {words[2]}: {', '.join(fault.affects)}")
    return "\n".join(lines)
