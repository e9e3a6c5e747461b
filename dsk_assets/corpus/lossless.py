"""Whether a tokenizer gives every text back: worked out from what it does, part by part.

A trial shows only what its text holds, and a tokenizer may lose one character, or the spaces beside
one word. A byte-level BPE loses nothing where text comes to it unchanged, only divided, where every
byte has a token, and where tokens are turned back to bytes and nothing else. Only that is accepted.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tokenizers import Tokenizer, pre_tokenizers

DIVIDES = frozenset({"Split", "Punctuation", "Digits", "ByteLevel"})
"""Steps before the model that do no more than divide, where they keep what they divide at.

UnicodeScripts is none of them: it drops a text that is nothing but spaces.
"""


def loss(tokenizer: Tokenizer) -> str | None:
    """What of *tokenizer* loses text, or makes one token of two; None where nothing does."""
    made = json.loads(tokenizer.to_str())
    if made["normalizer"] is not None:
        return f"its normalizer {made['normalizer']['type']} changes text"
    return (
        _division(list(_steps(made["pre_tokenizer"])))
        or _model(made["model"])
        or _decoder(made["decoder"])
        or _numbers(tokenizer.get_vocab(with_added_tokens=True))
        or _added(tokenizer, made["added_tokens"])
    )


def _steps(step: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    """A pre-tokenizer's steps, also where sequences stand in one another."""
    if step is None:
        return
    if step["type"] != "Sequence":
        yield step
        return
    for inner in step["pretokenizers"]:
        yield from _steps(inner)


def _division(steps: list[Mapping[str, Any]]) -> str | None:
    for step in steps:
        if step["type"] not in DIVIDES:
            return f"its pre-tokenizer {step['type']} may change or drop characters"
        if step.get("behavior") == "Removed":
            return f"its pre-tokenizer {step['type']} drops what it divides at (behavior: Removed)"
        if step.get("add_prefix_space"):
            return f"its pre-tokenizer {step['type']} adds a space (add_prefix_space)"
    if [step["type"] for step in steps].count("ByteLevel") != 1:
        return "it is not byte-level: one step of its pre-tokenizer must be ByteLevel"
    return None


def _model(model: Mapping[str, Any]) -> str | None:
    if model["type"] != "BPE":
        return f"its model is {model['type']}, not BPE"
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model[name]:
            return f"its model adds {model[name]!r} to tokens ({name})"
    missing = sorted(set(pre_tokenizers.ByteLevel.alphabet()) - model["vocab"].keys())
    if missing:
        return f"{len(missing)} of the 256 bytes have no token, such as {missing[0]!r}"
    return None


def _decoder(decoder: Mapping[str, Any] | None) -> str | None:
    if decoder is None or decoder["type"] != "ByteLevel":
        return f"its decoder is {decoder and decoder['type']}, not ByteLevel"
    return None


def _numbers(vocabulary: Mapping[str, int]) -> str | None:
    tokens: dict[int, str] = {}
    for token, number in vocabulary.items():
        other = tokens.setdefault(number, token)
        if other != token:
            first, second = sorted((other, token))
            return f"its tokens {first!r} and {second!r} have the same number {number}"
    return None


def _added(tokenizer: Tokenizer, tokens: list[Mapping[str, Any]]) -> str | None:
    """Added tokens are looked for in text, special ones excepted: text never encodes to those."""
    for token in tokens:
        if token["special"]:
            continue
        for flag, where in (("lstrip", "before"), ("rstrip", "after")):
            if token[flag]:
                return f"its added token {token['content']!r} drops the spaces {where} it ({flag})"
        if tokenizer.decode([token["id"]], skip_special_tokens=False) != token["content"]:
            return (
                f"its added token {token['content']!r} is decoded to something else, since its "
                "characters also stand for bytes"
            )
    return None
