"""Why this project and datatrove decide differently on a document, checked on its text.

A cause is named only where the text shows it: the rule that fired there would not have fired with
the other's way of counting. What no check explains is told by its rule.
"""

import re
from collections import Counter
from collections.abc import Mapping

_WORDS_AND_MARKS = re.compile(r"\w+|[^\w\s]")
_ENDS = re.compile(r"(\S+)[.!?][\"'”»«)]*(?:\s|$)")
_NO_END = re.compile(
    r"(?:^|\W)(?:\d+|[a-zæøå]|stk|pkt|nr|jfr?|pct|ca|kr|kl|pr|mio|hhv|dvs|inkl|grp|kg|km|mv"
    r"|m\.[mv]|bl\.a|f\.eks|el\.lign)$",
    re.I,
)
_ELLIPSIS = ("...", "…")
_MARKS_OF_FINEWEB = (".", "?", "!", "。")
MOST_IN_TOP = {2: 0.2, 3: 0.18, 4: 0.16}
LEAST_SENTENCES, LEAST_WITH_LETTERS, LEAST_ENDED = 5, 0.75, 0.12


def cause(text: str, labels: Mapping[str, object], ours: str, theirs: str) -> str:
    """Why *text* is dropped by one and not by the other; *ours* and *theirs* are the rules."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if theirs.startswith("language") and labels.get("edit") == "case":
        return "capitals only: fastText's small model takes them for another language"
    if theirs.endswith("alpha_threshold") and _with_letters(text) < LEAST_WITH_LETTERS:
        return "punctuation marks are words there, and without letters"
    if theirs.endswith("end_ellipsis") and sum(line.endswith(_ELLIPSIS) for line in lines) == 1:
        return "one line that ends with an ellipsis, of two or three: here it takes two lines"
    if theirs.endswith("bullets") and all(_is_sentence(line) for line in lines if line[0] == "-"):
        return "dialogue with a dash before it is a list there"
    if theirs.endswith("few_sentences") and _sentences(lines) < LEAST_SENTENCES:
        return "a full stop after a number or an abbreviation ends a sentence here"
    if theirs.endswith("line_punct_ratio") and _ended(lines) < LEAST_ENDED:
        return "colons and quotation marks end no line there"
    if ours.startswith("top-") and _top(text, int(ours[4])) <= MOST_IN_TOP[int(ours[4])]:
        return "punctuation marks are words there, and keep sequences from repeating"
    return "not explained"


def _with_letters(text: str) -> float:
    words = _WORDS_AND_MARKS.findall(text)
    return sum(any(map(str.isalpha, word)) for word in words) / len(words)


def _top(text: str, n: int) -> float:
    words = _WORDS_AND_MARKS.findall(text)
    grams = Counter(" ".join(words[at : at + n]) for at in range(len(words) - n + 1))
    most, count = grams.most_common(1)[0]
    return len(most) * count / len(text)


def _is_sentence(line: str) -> bool:
    return line.endswith((".", "!", "?"))


def _sentences(lines: list[str]) -> int:
    """Sentences in the lines that C4 keeps; numbers and abbreviations do not end one."""
    kept = [
        line for line in lines if line.endswith((".", "?", "!", '"', "'")) and line[-3:] != "..."
    ]
    return sum(not _NO_END.search(found) for line in kept for found in _ENDS.findall(line))


def _ended(lines: list[str]) -> float:
    return sum(line.endswith(_MARKS_OF_FINEWEB) for line in lines) / len(lines)
