"""The trainer: a causal language model, one step after another, the same bits every time.

A step depends on nothing but the model and the optimiser after the step before it and on the step's
number: the batch comes from the data order, the learning rate from the schedule, and random
numbers, where a base model's dropout needs any, from the seed and the step. So training that was
stopped after a checkpoint ends with the weights it would have had without the stop.

Processes that train together divide the rows of each batch, and each may read its share in several
parts; gradients are averaged before the step, so what is learnt from is the same batch. Across
processes that is PyTorch's ``DistributedDataParallel``, where each holds the whole model, or
:mod:`dsk_assets.training.sharding`, where each holds a share.
"""

import math
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from dsk_assets.errors import SettingsError, TrainingError
from dsk_assets.lake.digests import sha256_json
from dsk_assets.training.config import ModelConfig, TrainingConfig
from dsk_assets.training.dataset import SequenceDataset
from dsk_assets.training.group import Group
from dsk_assets.training.sharding import shard, share, whole_state

BETAS = (0.9, 0.95)
WEIGHT_DECAY = 0.1
MAX_GRADIENT_NORM = 1.0
FINAL_RATE = 0.1
"""Share of the highest learning rate that is left at the last step."""

EVALUATED = 64
"""Sequences of a donation's held-out documents that a loss is measured on."""

OPTIMIZER = "optimizer.safetensors"


@dataclass(frozen=True)
class StepResult:
    """What one step gave: its mean loss (nats a token) and the tokens read up to and with it."""

    step: int
    loss: float
    learning_rate: float
    tokens: int


class Trainer:
    """A model and its optimiser after a number of steps."""

    def __init__(
        self, config: TrainingConfig, dataset: SequenceDataset, model: Any, step: int, group: Group
    ):
        import torch

        self.config = config
        self.dataset = dataset
        self.group = group
        self.step = step
        sharded = config.sharding == "full"
        self.model = (shard(model, group) if sharded else model.to(group.device)).train()
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=0.0,
            betas=BETAS,
            weight_decay=WEIGHT_DECAY,
            foreach=group.on_gpu,
        )
        self._replicated = (
            torch.nn.parallel.DistributedDataParallel(self.model)
            if group.together and not sharded
            else None
        )

    @classmethod
    def start(
        cls,
        config: TrainingConfig,
        dataset: SequenceDataset,
        group: Group,
        *,
        vocabulary: int,
        end_of_text: int,
        base_model: Path | None,
    ) -> "Trainer":
        """A model before its first step: *base_model*, or new weights drawn from the seed."""
        import torch

        set_up_libraries()
        torch.manual_seed(config.seed)
        if base_model is not None:
            model = _base(base_model, config.sequence_length)
        elif config.model is not None:
            model = _new(config.model, config.sequence_length, vocabulary, end_of_text)
        else:
            raise SettingsError("training.yaml has neither model nor base_model — give one")
        known = model.config.get_text_config().vocab_size
        if known < vocabulary:
            raise SettingsError(
                f"corpus.yaml: the tokenizer has {vocabulary} tokens and the base model only "
                f"{known} — give the base model's tokenizer (tokenizer.given)"
            )
        return cls(config, dataset, model, 0, group)

    @classmethod
    def resume(
        cls,
        config: TrainingConfig,
        dataset: SequenceDataset,
        group: Group,
        *,
        folder: Path,
        step: int,
    ) -> "Trainer":
        """The trainer as :meth:`save` left it in *folder* after *step* steps, in parts or not."""
        from safetensors import safe_open

        set_up_libraries()
        model, _ = _load(folder / "model")
        trainer = cls(config, dataset, model, step, group)
        parameters = dict(trainer.model.named_parameters())
        with safe_open(folder / "state" / OPTIMIZER, "pt") as file:
            for key in file.keys():  # noqa: SIM118
                name, _, moment = key.rpartition(".")
                parameter, value = parameters[name], file.get_tensor(key)
                # The count of steps stays where PyTorch keeps it, on the CPU.
                placed = value if moment == "step" else share(value, parameter)
                trainer.optimizer.state[parameter][moment] = placed
        return trainer

    @property
    def parameters(self) -> int:
        """Number of trained parameters; tied weights count once."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def precision(self) -> str:
        """The numbers that the forward pass computes with; weights are always float32."""
        return self.config.precision if self.group.on_gpu else "float32"

    def one(self) -> StepResult:
        """Train one step; :class:`TrainingError` when its loss is not finite."""
        import torch

        step = self.step + 1
        seed = [self.config.seed, step, self.group.rank.number]
        torch.manual_seed(int(sha256_json(seed)[:15], 16))
        value = self.group.total(self._gradients(step)) / self.group.rank.world_size
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss of run {self.config.name} is {value} at step {step} — "
                "lower learning_rate in training.yaml"
            )
        rate = learning_rate(self.config, step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        torch.nn.utils.clip_grad_norm_(
            self.model.parameters(), MAX_GRADIENT_NORM, foreach=self.group.on_gpu
        )
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step = step
        tokens = self.config.batch_size * self.config.sequence_length
        return StepResult(step, value, rate, step * tokens)

    def save(self, folder: Path) -> None:
        """Write ``model/`` as transformers reads it, and ``state/`` to go on from.

        All processes call it, and the first one writes.
        """
        from safetensors.torch import save_file

        weights, moments = whole_state(self.model, self.optimizer)
        if self.group.first:
            self.model.save_pretrained(folder / "model", state_dict=weights)
            (folder / "state").mkdir(parents=True)
            save_file(moments, folder / "state" / OPTIMIZER)

    def held_out_loss(self, sources: list[int]) -> tuple[float, int]:
        """Mean loss (nats a token) on held-out documents of these donations, and its tokens.

        Of each donation at most :data:`EVALUATED` sequences are read. The first token of a sequence
        is not predicted, so it does not count. All processes call it, and get the same.
        """
        import torch

        self.model.eval()
        total, tokens = 0.0, 0
        with torch.no_grad(), self._autocast():
            for source in sources:
                for sequence in islice(self.dataset.held_out(source), EVALUATED):
                    if len(sequence) > 1:
                        batch = torch.from_numpy(sequence[None]).to(self.group.device)
                        loss = self.model(input_ids=batch, labels=batch, use_cache=False).loss
                        total += float(loss) * (len(sequence) - 1)
                        tokens += len(sequence) - 1
        self.model.train()
        return total / max(1, tokens), tokens

    def _gradients(self, step: int) -> float:
        """Leave the gradients of the batch of *step*; returns the mean loss of this process."""
        import torch

        parts = self.config.division.parts(step, self.group.rank.number)
        total = 0.0
        for number, samples in enumerate(parts, start=1):
            batch = torch.from_numpy(self.dataset.samples(samples)).to(self.group.device)
            with self._adding_up(last=number == len(parts)):
                with self._autocast():
                    model = self._replicated or self.model
                    loss = model(input_ids=batch, labels=batch, use_cache=False).loss
                    loss = loss / len(parts)
                loss.backward()
            total += float(loss.detach())
        return total

    def _adding_up(self, last: bool) -> Any:
        """Gradients are exchanged after the last part; those of a model in parts after each one.

        Kept until then they would be whole in every process.
        """
        return nullcontext() if last or self._replicated is None else self._replicated.no_sync()

    def _autocast(self) -> Any:
        import torch

        return torch.autocast("cuda", dtype=torch.bfloat16, enabled=self.precision == "bfloat16")


def learning_rate(config: TrainingConfig, step: int) -> float:
    """The rate of *step*: a straight warm-up, then a cosine down to ``FINAL_RATE`` of it."""
    if step <= config.warmup_steps:
        return config.learning_rate * step / config.warmup_steps
    done = (step - config.warmup_steps) / (config.steps - config.warmup_steps)
    cosine = (1 + math.cos(math.pi * done)) / 2
    return config.learning_rate * (FINAL_RATE + (1 - FINAL_RATE) * cosine)


def versions() -> dict[str, str]:
    """Versions of the libraries on whose arithmetic the weights depend to the last bit."""
    import torch
    import transformers

    return {"torch": str(torch.__version__), "transformers": str(transformers.__version__)}


def set_up_libraries() -> None:
    """One thread and deterministic kernels; no bars of theirs beside ours."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def _new(config: ModelConfig, sequence_length: int, vocabulary: int, end_of_text: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=config.hidden_size,
            intermediate_size=config.feed_forward,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            max_position_embeddings=sequence_length,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=end_of_text,
        )
    )


def _base(folder: Path, sequence_length: int) -> Any:
    """The base model in *folder*; :class:`SettingsError` unless it is whole and reads so far."""
    try:
        model, said = _load(folder)
    except Exception as error:  # whatever a library makes of it; no donated text has been read yet
        reason = next(iter(str(error).splitlines()), "")
        raise SettingsError(
            f"training.yaml: the base model cannot be loaded ({type(error).__name__}: {reason}) — "
            "name one of an architecture that transformers has, in safetensors, not quantised"
        ) from None
    if missing := sorted(said["missing_keys"]):
        raise SettingsError(
            f"training.yaml: the base model lacks {len(missing)} of its weights, such as "
            f"{missing[0]}, which would be drawn at random — copy or download it again"
        )
    longest = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if longest is not None and longest < sequence_length:
        raise SettingsError(
            f"training.yaml: sequence_length is {sequence_length}, and the base model reads "
            f"{longest} tokens at most — lower it"
        )
    return model


def _load(folder: Path) -> tuple[Any, dict[str, Any]]:
    """The model in *folder*, without running code of its own, and what was amiss with its files."""
    import torch
    from transformers import AutoModelForCausalLM

    loaded: Any = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.float32,
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    model, said = loaded
    return model, said
