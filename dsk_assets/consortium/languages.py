"""Names of languages and Danish numbers, for those who read what is published or decided."""

NAMES = {
    "da": ("Danish", "dansk"),
    "de": ("German", "tysk"),
    "en": ("English", "engelsk"),
    "fi": ("Finnish", "finsk"),
    "fo": ("Faroese", "færøsk"),
    "fr": ("French", "fransk"),
    "is": ("Icelandic", "islandsk"),
    "kl": ("Greenlandic", "grønlandsk"),
    "nb": ("Norwegian Bokmål", "norsk bokmål"),
    "nl": ("Dutch", "nederlandsk"),
    "nn": ("Norwegian Nynorsk", "nynorsk"),
    "sv": ("Swedish", "svensk"),
    "und": ("undetermined", "ubestemt"),
}


def names(code: str) -> tuple[str, str]:
    """English and Danish name of a language; of one that is seldom met its code, twice."""
    return NAMES.get(code, (code, code))


def danish(number: str) -> str:
    """A number in English as Danish writes it: a comma for the point and the other way round."""
    return number.translate(str.maketrans(".,", ",."))
