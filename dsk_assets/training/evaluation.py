"""What a trained model does: how well it predicts, what it repeats, and which answers it prefers.

The results are evidence, not a gate: a small model that prefers a wrong answer is reported so. They
hold counts and ids, never text.
"""

import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from dsk_assets.consortium.policy import Section
from dsk_assets.consortium.reading import read_config
from dsk_assets.corpus import tokenizer as corpus_tokenizer
from dsk_assets.corpus.lookup import document_offsets
from dsk_assets.corpus.release import OpenedRelease, open_release
from dsk_assets.corpus.tokenizer import Vocabulary
from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.lake.digests import sha256_json
from dsk_assets.lake.store import Zone
from dsk_assets.training import tasks
from dsk_assets.training.dataset import SequenceDataset
from dsk_assets.training.exposure import reads
from dsk_assets.training.released import release_dataset
from dsk_assets.training.trainer import EVALUATED, set_up_libraries

CODE_VERSION = "1"
ASSET = "training/evaluation"
FILE = "evaluation.json"
VALUES = "values.yaml"
CANARIES = "canaries.yaml"
CANDIDATES = 511
"""Other secrets that a canary's is compared with: its exposure is at most log2 of one more."""

PROMPT, CONTINUATION = 50, 50
"""Tokens given, and tokens compared, when a model is asked to repeat a document."""
PROMPTS = 100
"""Documents of each donation that a model is asked to repeat, and as many held-out ones."""

Tokens = NDArray[np.int64]
Given = TypeVar("Given", bound=Section)


class Question(Section):
    """A beginning with two ways to go on, of which the charter's clauses call for one."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    clauses: tuple[str, ...] = Field(min_length=1)
    prompt: str = Field(min_length=1)
    better: str = Field(min_length=1)
    worse: str = Field(min_length=1)


class Canary(Section):
    """An invented sentence that the corpus is known to hold, with digits that nobody could guess.

    The platform plants none. Whoever wants to know how easily a model gives away what it has read
    once delivers such sentences as a donation whose manifest says that it is synthetic.
    """

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    sentence: str = Field(pattern=r"^[^{}]*\{\}[^{}]*$")
    """The sentence, with ``{}`` in place of the secret."""
    secret: str = Field(pattern=r"[0-9]")
    """What stands there; its digits are replaced for comparison."""


def _each_its_own_id(given: Sequence[Question | Canary]) -> Sequence[Question | Canary]:
    """*given*, where no two have an id in common: results stand under ids."""
    ids = [one.id for one in given]
    for one in ids:
        if ids.count(one) > 1:
            raise ValueError(f"two have the id {one!r}")
    return given


class Canaries(Section):
    """The content of ``canaries.yaml``."""

    canaries: tuple[Canary, ...] = Field(min_length=1)

    _unique = field_validator("canaries")(_each_its_own_id)


class Values(Section):
    """The content of ``values.yaml``: a charter, and questions that its clauses answer."""

    charter: str
    version: str
    questions: tuple[Question, ...] = Field(min_length=1)

    _unique = field_validator("questions")(_each_its_own_id)


def evaluation(catalog: Catalog, key: str) -> Snapshot:
    """What the checkpoint *key* does when it is tried; demands that gate ``checkpoint`` admits it.

    ``evaluation.json``: ``prediction``, for each donation the loss on held-out documents (nats a
    token) and bits a byte. ``memorisation``, of documents it has read and of held-out ones: how
    many were begun with their first tokens (``prompts``), and how many the model goes on with word
    for word (``exact``; Carlini et al. 2021, https://arxiv.org/abs/2012.07805); held-out documents
    show how much of that is chance. ``canaries``, where the consortium has a ``canaries.yaml``: the
    exposure of each, log2 of the number of possible secrets over the rank of the true one among
    them, estimated by a sample (Carlini et al. 2019, https://arxiv.org/abs/1802.08232): about 1.4
    on average where the model knows nothing of it, 9 where it finds the true one likeliest.
    ``tasks``: measures of the harness's tasks that the consortium's ``tasks.yaml`` names.
    ``values``: for each question of ``values.yaml``, where the consortium has one, whether the
    model finds the better of two answers likelier, byte for byte.
    """
    checkpoint = catalog.require("training/checkpoint", key)
    verdict = admission.require(catalog, "checkpoint", checkpoint)
    origin = checkpoint.json("checkpoint.json")
    release = open_release(catalog, origin["release"])
    values = _given(catalog.settings.consortium / VALUES, Values)
    canaries = _given(catalog.settings.consortium / CANARIES, Canaries)
    asked = tasks.load_tasks(catalog.settings.consortium)
    described = tasks.described(asked, catalog.settings.consortium) if asked else None

    def produce(out: Output) -> None:
        tried = _Tried(checkpoint, release, origin)
        content = {
            "checkpoint": key,
            "prediction": tried.prediction(),
            "memorisation": tried.memorisation(),
            "canaries": tried.exposures(canaries) if canaries else None,
            "values": tried.values(values) if values else None,
        }
        if asked:
            content["tasks"] = tasks.results(tried.folder, asked, catalog.settings.consortium)
        out.json(FILE, content)
        out.count(**_counts(content))

    return catalog.materialise(
        ASSET,
        key,
        zone=Zone.EVIDENCE,
        inputs=[
            checkpoint.only("model/", "checkpoint.json"),
            verdict,
            release.snapshot,
            release.tokenizer,
            *(member.shards for member in release.members),
        ],
        config={
            "prompt": PROMPT,
            "continuation": CONTINUATION,
            "prompts": PROMPTS,
            "canaries": sha256_json(canaries.model_dump(mode="json")) if canaries else None,
            "values": values.model_dump(mode="json") if values else None,
        }
        | ({"tasks": described} if described else {}),
        code_version=CODE_VERSION,
        produce=produce,
    )


def _given(path: Path, kind: type[Given]) -> Given | None:
    return read_config(path, kind) if path.is_file() else None


def _counts(content: dict[str, Any]) -> dict[str, Any]:
    read, unread = (content["memorisation"][name] for name in ("trained", "heldOut"))
    counts: dict[str, Any] = {
        "prompts": read["prompts"],
        "repeated": read["exact"],
        "held_out_prompts": unread["prompts"],
        "held_out_repeated": unread["exact"],
    }
    prediction = content["prediction"]
    if prediction:
        counts["bits_per_byte"] = {name: one["bitsPerByte"] for name, one in prediction.items()}
    if content["canaries"]:
        counts["canary_exposure"] = content["canaries"]
    if "tasks" in content:
        measured = content["tasks"].items()
        counts["tasks"] = {f"{task} {name}": v for task, own in measured for name, v in own.items()}
    if content["values"]:
        answered = content["values"]["questions"]
        counts |= {"questions": len(answered), "better": sum(one["better"] for one in answered)}
    return counts


@dataclass
class _Tried:
    """A checkpoint's model, and the release it was trained on."""

    checkpoint: Snapshot
    release: OpenedRelease
    origin: dict[str, Any]

    @cached_property
    def folder(self) -> Path:
        """The model's folder, each file verified."""
        files = [file.name for file in self.checkpoint.files if file.name.startswith("model/")]
        [folder] = {self.checkpoint.path(name).parent for name in files}
        return folder

    @cached_property
    def model(self) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        set_up_libraries()
        model: Any = AutoModelForCausalLM.from_pretrained(
            self.folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
        )
        return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return corpus_tokenizer.vocabulary(self.release.tokenizer)

    @cached_property
    def dataset(self) -> SequenceDataset:
        order = self.origin["order"]
        return release_dataset(
            self.release,
            seed=order["seed"],
            sequence_length=order["sequenceLength"],
            batch_size=order["batchSize"],
            held_out=self.share,
        )

    @property
    def share(self) -> float:
        return float(self.origin["order"].get("heldOut", 0.0))

    def prediction(self) -> dict[str, dict[str, float]]:
        """Loss and bits a byte on the held-out documents of each donation."""
        found = {}
        for number, member in enumerate(self.release.members):
            held_out = islice(self.dataset.held_out(number), EVALUATED)
            sequences = [one for one in held_out if len(one) > 1]
            if not sequences:
                continue
            nats = sum(-float(self._logarithms(one).sum()) for one in sequences)
            tokens = sum(len(one) - 1 for one in sequences)
            size = sum(self._bytes(one[1:]) for one in sequences)
            found[member.donation] = {
                "loss": round(nats / tokens, 6),
                "bitsPerByte": round(nats / math.log(2) / max(1, size), 6),
                "tokens": tokens,
            }
        return found

    def memorisation(self) -> dict[str, Any]:
        """How many documents the model goes on with word for word, read ones and held-out ones."""
        chosen: dict[str, list[Tokens]] = {"trained": [], "heldOut": []}
        for number, member in enumerate(self.release.members):
            found: dict[str, list[Tokens]] = {"trained": [], "heldOut": []}
            offsets = document_offsets(member)
            for span in member.shards.table("shard_span").to_pylist():
                start = offsets[span["shard"]] + span["start"]
                kind = self._kind(number, start)
                long_enough = span["end"] - span["start"] > self._asked
                if kind and long_enough and len(found[kind]) < PROMPTS:
                    found[kind].append(self.dataset.tokens(number, start, start + self._asked))
            for kind, documents in found.items():
                chosen[kind] += documents
        tokens = {"promptTokens": self._asked // 2, "continuationTokens": self._asked // 2}
        return tokens | {
            kind: {"prompts": len(documents), "exact": self._repeated(documents)}
            for kind, documents in chosen.items()
        }

    def exposures(self, canaries: Canaries) -> dict[str, float]:
        """The exposure of each canary."""
        return {one.id: self._exposure(one) for one in canaries.canaries}

    def _exposure(self, canary: Canary) -> float:
        numbers = random.Random(canary.id)
        others = {
            re.sub(r"[0-9]", lambda _: str(numbers.randrange(10)), canary.secret)
            for _ in range(CANDIDATES)
        } - {canary.secret}
        true = self._probability(canary.sentence.format(canary.secret))
        likelier = sum(self._probability(canary.sentence.format(one)) > true for one in others)
        return round(math.log2((len(others) + 1) / (likelier + 1)), 3)

    def _probability(self, text: str) -> float:
        """The logarithm of the probability of *text* as the beginning of a document."""
        end = self.vocabulary.end_of_text
        tokens = self.vocabulary.tokenizer.encode(text, add_special_tokens=False).ids
        return float(self._logarithms(np.array([end, *tokens])).sum())

    def values(self, values: Values) -> dict[str, Any]:
        """Which of two answers the model finds likelier, for each question."""
        questions = [
            {
                "id": question.id,
                "clauses": list(question.clauses),
                "better": self._likelihood(question.prompt, question.better)
                > self._likelihood(question.prompt, question.worse),
            }
            for question in values.questions
        ]
        return {"charter": values.charter, "version": values.version, "questions": questions}

    @property
    def _asked(self) -> int:
        """Tokens of a document that are looked at: as many as the model reads, at most."""
        return min(PROMPT + CONTINUATION, int(self.origin["order"]["sequenceLength"]) // 2 * 2)

    def _kind(self, source: int, start: int) -> str | None:
        """Whether the tokens from *start* on are held out or have been read; None if neither."""
        order, step = self.dataset.order, int(self.origin["step"])
        place = start - order.sources[source].held_out
        if place < 0:
            return "heldOut"
        size = self.origin["order"]["batchSize"]
        read = reads(order, source, place, place + self._asked, step, size).until(step)
        return "trained" if read >= self._asked else None

    def _repeated(self, documents: Sequence[Tokens]) -> int:
        """How many of *documents* the model completes, always taking the likeliest token."""
        import torch

        repeated, half = 0, self._asked // 2
        for batch in _batches(documents):
            whole = torch.from_numpy(batch).to(self.model.device)
            with torch.no_grad():
                # A continuation is exact when each token is the likeliest after the document's own.
                likeliest = self.model(input_ids=whole, use_cache=False).logits.argmax(-1)
            exact = (likeliest[:, half - 1 : -1] == whole[:, half:]).all(-1)
            repeated += int(exact.sum())
        return repeated

    def _likelihood(self, prompt: str, answer: str) -> float:
        """Mean logarithm of the probability of *answer* after *prompt*, for each byte."""
        encode = self.vocabulary.tokenizer.encode
        begun = encode(prompt, add_special_tokens=False).ids
        tokens = np.array([*begun, *encode(f" {answer}", add_special_tokens=False).ids])
        settings = self.model.config.get_text_config()
        context = getattr(settings, "max_position_embeddings", len(tokens))
        answered = self._logarithms(tokens[-context:])[-(len(tokens) - len(begun)) :]
        return float(answered.sum()) / len(f" {answer}".encode())

    def _logarithms(self, tokens: Tokens) -> NDArray[np.float64]:
        """The logarithm of the probability of each of *tokens* but the first."""
        import torch

        batch = torch.from_numpy(tokens.astype(np.int64))[None].to(self.model.device)
        with torch.no_grad():
            logits = self.model(input_ids=batch, use_cache=False).logits[0, :-1].double()
        found: NDArray[np.float64] = (
            logits.log_softmax(-1).gather(-1, batch[0, 1:, None])[:, 0].cpu().numpy()
        )
        return found

    def _bytes(self, tokens: Tokens) -> int:
        """Bytes of text that *tokens* stand for: in a byte-level vocabulary a character is one."""
        text = tokens[tokens != self.vocabulary.end_of_text].tolist()
        return sum(len(self.vocabulary.tokenizer.id_to_token(token) or "") for token in text)


def _batches(documents: Sequence[Tokens], size: int = 16) -> Iterator[Tokens]:
    for start in range(0, len(documents), size):
        yield np.stack(documents[start : start + size])
