"""Which language pieces of text are in: a fast detector first, a careful one where it is unsure.

CLD2 reads 15 MB a second and is nearly always right, except between Danish and the two written
forms of Norwegian: it calls a fifth of the paragraphs of a Bokmål Bible of 1930 Danish. There
words and endings decide, because *af*, *gik*, *-hed* are Danish and *av*, *gikk*, *-het* are not.
A piece without any takes the side that the rest of its document is on, if CLD2 sees it so too.
Where all are silent lingua weighs the likely languages.
"""

import numpy as np
import numpy.typing as npt
import polars as pl
import pycld2

from dsk_assets.filters.careful import UNDETERMINED, second_pass

_CLD2_CODES = {"no": "nb", "un": UNDETERMINED}
_NEIGHBOURS = ("da", "nb", "nn")
_CHARS = 600
"""As much of a piece as either detector reads; more does not make it surer."""
_SURE = 0.8
_SURE_LETTERS = 60
_SURE_WORDS = 2
_SURE_WORDS_AROUND = 4

_DANISH = (
    "af mod imod ud uden ind inden os gik fik havde sagde blive bliver været tage tager give "
    "giver gør gøre sige nogle igen lidt end lige anden andet gerne hendes vores sidste thi ere "
    "naar saa paa ogsaa maa gaa faa staa haand endnu mand ad ret brug",
    r"\pL*[eø]j\pL*|\pL{3,}heds?|\pL{3,}heden|\pL{3,}skab(?:er|et)?|\pL+kend\pL*|\pL{2,}tione?n?s?",
)
_NORWEGIAN = (
    "av mot ut uten utan inn oss gikk gjekk fikk fekk hadde sa sier seier bli ble blei blitt "
    "vart ta tok gi gir å sitt mitt ditt meg deg seg opp enn etter noen nokon noko vår våre mann "
    "aldri gjennom tatt gått vite vet annen annet frå ikkje eg ein eit dei",
    r"\pL*øy\pL*|\pL{3,}het|\pL{3,}heten|\pL+sjone?n?s?|\pL+kjenn\pL*",
)
_NYNORSK = (
    "ein eit dei ikkje eg frå blei vart meir då noko nokon nokre berre vere vera kva kvar kven "
    "korleis sjå sidan kjem fleire medan framleis sjølv mykje heile desse gjekk fekk saman òg "
    "utan gjer gjere seie hennar deira",
    "",
)
_BOKMAAL = (
    "jeg en ikke fra ble noen hun hva være hele gjøre gjør siden disse mer hvor hvem derfor gikk "
    "fikk uten sammen hvis selv noe hvordan kommer",
    "",
)


def _pattern(words: str, endings: str) -> str:
    """A regular expression for these words; of two in a row it finds the first."""
    listed = "|".join([*words.split(), *filter(None, [endings])])
    return rf"[^\pL](?:{listed})[^\pL]"


_MARKS = {
    "danish": _pattern(*_DANISH),
    "norwegian": _pattern(*_NORWEGIAN),
    "nynorsk": _pattern(*_NYNORSK),
    "bokmaal": _pattern(*_BOKMAAL),
}


Documents = npt.NDArray[np.int64]


def detect(text: str) -> tuple[str, float]:
    """The language of *text* (ISO 639-1, or ``und``) and how sure that is, from 0 to 1."""
    found = detect_pieces(pl.Series([text]), np.zeros(1, np.int64))
    return found["language"][0], found["confidence"][0]


def detect_pieces(pieces: pl.Series, document: Documents) -> pl.DataFrame:
    """The language of each of *pieces*, in their order; *document* numbers the text each is from.

    Returns ``language`` (ISO 639-1, or ``und``), ``confidence``, how sure that is, from 0 to 1,
    and ``letters``, how many letters the piece has.
    """
    schema = {"first": pl.String, "sure": pl.Float64}
    lowered = (" " + pieces + " ").str.to_lowercase()
    excerpts = pieces.str.slice(0, _CHARS)
    seen = pl.DataFrame([_first_pass(text) for text in excerpts], schema=schema, orient="row")
    language, confidence = _settled()
    judged = seen.with_columns(
        document=pl.Series(document),
        letters=pieces.str.len_chars().cast(pl.Int64) - pieces.str.count_matches(r"\PL"),
        **{name: lowered.str.count_matches(pattern) for name, pattern in _MARKS.items()},
    ).with_columns(language=language, confidence=confidence)
    unsure = judged["language"].is_null().arg_true()
    second = [
        second_pass(excerpts[row], judged["first"][row], judged["sure"][row]) for row in unsure
    ]
    return judged.select(
        judged["language"].scatter(unsure, [found for found, _ in second]),
        judged["confidence"].scatter(unsure, [sure for _, sure in second]),
        "letters",
    )


def _first_pass(text: str) -> tuple[str, float]:
    try:
        reliable, _, details = pycld2.detect(text, isPlainText=True)
    except pycld2.error:
        printable = "".join(char if char.isprintable() else " " for char in text)
        reliable, _, details = pycld2.detect(printable, isPlainText=True)
    _, code, percent, _ = details[0]
    return _CLD2_CODES.get(code, code), percent / 100 if reliable else 0.0


def _settled() -> tuple[pl.Expr, pl.Expr]:
    """Language and confidence where no second pass is needed, null elsewhere.

    A mark that CLD2 confirms is enough; against CLD2 it takes two. Where a piece has none, CLD2
    is believed if the marks in the rest of the document agree with it.
    """
    first, sure = pl.col("first"), pl.col("sure")
    danish, norwegian = pl.col("danish"), pl.col("norwegian")
    near = first.is_in([*_NEIGHBOURS, UNDETERMINED])
    side = _side(danish, norwegian)
    own = _share(danish, norwegian)
    needed = pl.when(side == first).then(1).otherwise(_SURE_WORDS)
    by_words = near & (danish + norwegian >= needed) & (own >= _SURE)
    all_danish, all_norwegian = danish.sum().over("document"), norwegian.sum().over("document")
    around = _share(all_danish, all_norwegian)
    agreed = (first == "da") == (all_danish > all_norwegian)
    enough = all_danish + all_norwegian >= _SURE_WORDS_AROUND
    by_document = first.is_in(_NEIGHBOURS) & agreed & enough & (around >= _SURE)
    clear = ~near & (sure >= _SURE) & (pl.col("letters") >= _SURE_LETTERS)
    wordless = pl.col("letters") == 0
    return (
        pl.when(wordless)
        .then(pl.lit(UNDETERMINED))
        .when(by_words)
        .then(side)
        .when(by_document | clear)
        .then(first),
        pl.when(wordless)
        .then(0.0)
        .when(by_words)
        .then(own)
        .when(by_document)
        .then(around)
        .when(clear)
        .then(sure),
    )


def _share(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    return pl.max_horizontal(one, other) / pl.max_horizontal(one + other, 1)


def _side(danish: pl.Expr, norwegian: pl.Expr) -> pl.Expr:
    """Danish, Bokmål or Nynorsk by the marks that one has and the others have not."""
    nynorsk, bokmaal = pl.col("nynorsk"), pl.col("bokmaal")
    seen_nynorsk = (nynorsk == bokmaal) & (pl.col("first") == "nn")
    return (
        pl.when(danish > norwegian)
        .then(pl.lit("da"))
        .when((nynorsk > bokmaal) | seen_nynorsk)
        .then(pl.lit("nn"))
        .otherwise(pl.lit("nb"))
    )
