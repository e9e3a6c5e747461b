"""``training.yaml`` of the consortium's folder: what is trained, from what, and for how long."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from dsk_assets.consortium.policy import Section
from dsk_assets.consortium.reading import read_config
from dsk_assets.training.order import Division

FILE = "training.yaml"


def _as_written(value: object) -> object:
    """YAML reads a plain yes or no as true or false."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


class ModelConfig(Section):
    """Size of a model in the Llama architecture, to be trained from scratch."""

    hidden_size: int = Field(ge=8)
    layers: int = Field(ge=1)
    heads: int = Field(ge=1)
    feed_forward: int = Field(ge=8)
    """Inner width of each layer's feed-forward block."""

    @model_validator(mode="after")
    def _divisible(self) -> "ModelConfig":
        if self.hidden_size % (2 * self.heads):
            raise ValueError("needs a hidden_size that is a multiple of twice heads")
        return self


class BaseModelConfig(Section):
    """An open model whose training goes on, in a local folder or on the Hugging Face hub."""

    name: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    """SPDX identifier of the licence of its weights."""
    training_data_known: Annotated[Literal["yes", "partly", "no"], BeforeValidator(_as_written)]
    """Whether its publisher says what it was trained on."""
    folder: str | None = None
    """Folder with config.json and safetensors, relative to the consortium's folder."""
    hub: str | None = Field(None, pattern=r"^[\w.-]+/[\w.-]+$")
    """Repository on the hub, as ``organisation/name``. It is downloaded once."""
    revision: str | None = Field(None, pattern=r"^[0-9a-f]{40}$")
    """Commit of the repository on the hub."""

    @model_validator(mode="after")
    def _one_place(self) -> "BaseModelConfig":
        if (self.folder is None) == (self.hub is None):
            raise ValueError("needs either folder or hub")
        if (self.hub is None) != (self.revision is None):
            raise ValueError("needs revision, the full commit of the repository, with hub")
        return self


class TrainingConfig(Section):
    """The content of ``training.yaml``."""

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    """Runs are called by this name and the version of the corpus release."""
    seed: int = Field(ge=0, lt=2**53)
    steps: int = Field(ge=2)
    batch_size: int = Field(ge=1)
    """Sequences read in one step, by all processes together."""
    sequence_length: int = Field(ge=2)
    """Tokens in a sequence."""
    checkpoint_every: int = Field(ge=1)
    """Steps from one checkpoint to the next; the last step always makes one."""
    learning_rate: float = Field(gt=0, allow_inf_nan=False)
    """The highest, reached after ``warmup_steps`` and then lowered along a cosine."""
    warmup_steps: int = Field(ge=0)
    held_out: float = Field(0.0, ge=0, le=0.5)
    """Share of each donation's documents that is never trained on, only measured on."""
    processes: int = Field(1, ge=1)
    """Processes that train together, one for each GPU; they divide each batch among them."""
    sharding: Literal["none", "full"] = "none"
    """What each process holds: the whole model (``none``), or a share of its weights, gradients and
    optimizer state (``full``), for a model that does not fit one GPU."""
    micro_batch_size: int | None = Field(None, ge=1)
    """Sequences that a process reads at once; its share of a batch where none is given. Fewer need
    less memory: gradients are added up until the batch is read."""
    precision: Literal["bfloat16", "float32"] = "bfloat16"
    """Numbers that a GPU computes with; a CPU always takes float32."""
    model: ModelConfig | None = None
    base_model: BaseModelConfig | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "TrainingConfig":
        if (self.model is None) == (self.base_model is None):
            raise ValueError("needs either model, for training from scratch, or base_model")
        if self.checkpoint_every >= self.steps:
            raise ValueError("needs checkpoint_every below steps, for at least two checkpoints")
        if self.warmup_steps >= self.steps:
            raise ValueError("needs warmup_steps below steps")
        if self.sharding == "full" and self.processes == 1:
            raise ValueError("needs more than one of processes for sharding: full")
        if self.batch_size % self.processes:
            raise ValueError("needs a batch_size that is a multiple of processes")
        if self.batch_size // self.processes % self.rows_at_once:
            raise ValueError(
                "needs a batch_size that is a multiple of processes × micro_batch_size"
            )
        return self

    @property
    def division(self) -> Division:
        """How the samples of a step are divided among processes."""
        return Division(self.batch_size, self.processes, self.rows_at_once)

    @property
    def rows_at_once(self) -> int:
        """Sequences that a process reads at once."""
        return self.micro_batch_size or self.batch_size // self.processes

    @property
    def checkpoint_steps(self) -> list[int]:
        """The steps after which there is a checkpoint."""
        steps = list(range(self.checkpoint_every, self.steps, self.checkpoint_every))
        return [*steps, self.steps]

    def canonical(self) -> dict[str, Any]:
        """All of it that decides what is trained, as the configuration of a checkpoint."""
        return self.model_dump(mode="json", exclude={"name"})


def load_training(consortium: Path) -> TrainingConfig:
    """The consortium's ``training.yaml``; ``SettingsError`` where it cannot be used."""
    return read_config(consortium / FILE, TrainingConfig)
