"""What the measures of a text's quality are called in Danish, for donors and auditors."""

from dsk_assets.filters.measures import SHORT_LINE
from dsk_assets.filters.repetition import DUPLICATE_N, TOP_N

IN_DANISH = {
    "n_char": "tegn",
    "n_word": "ord",
    "mean_word_length": "tegn i et ord i gennemsnit",
    "alpha_ratio": "andel af ord med et bogstav",
    "digit_share": "andel af tegn, der er cifre",
    "symbol_ratio": "nummertegn og udeladelsesprikker pr. ord",
    "stop_words": "hvor mange af de 20 danske stopord der er med",
    "n_line": "linjer, der ikke er tomme",
    "mean_line_length": "tegn i en linje i gennemsnit",
    "words_per_line": "ord i en linje i gennemsnit",
    "new_line_ratio": "linjeskift pr. ord",
    "bullet_line_share": "andel af linjer, der er punkter i en liste, hvis der er mindst to",
    "ellipsis_line_share": "andel af linjer, der ender med udeladelsesprikker, hvis der er "
    "mindst to",
    "line_punct_share": "andel af linjer, der ender med et skilletegn",
    "short_line_share": f"andel af linjer på højst {SHORT_LINE} tegn",
    "dup_line_share": "andel af linjer, der gentager en tidligere",
    "dup_line_char_share": "andel af tegn i linjer, der gentager en tidligere",
    "dup_paragraph_share": "andel af afsnit, der gentager et tidligere",
    "dup_paragraph_char_share": "andel af tegn i afsnit, der gentager et tidligere",
    "lorem_ipsum": "hvor tit fyldteksten lorem ipsum forekommer",
    "curly_brackets": "hvor mange krøllede parenteser der begynder",
    "c4_sentences": "sætninger i linjer på mindst tre ord, der ender, som sætninger gør, og ikke "
    "handler om cookies, brugsvilkår eller JavaScript",
    **{f"top_{n}_gram_char_share": f"andel af tegn i de hyppigste {n} ord i træk" for n in TOP_N},
    **{
        f"dup_{n}_gram_char_share": f"andel af tegn i gentagne rækker på {n} ord"
        for n in DUPLICATE_N
    },
}
"""Every one of :data:`dsk_assets.filters.measures.MEASURES`."""
