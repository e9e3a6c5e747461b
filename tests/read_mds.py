"""Reads an MDS export with MosaicML's library; a program, since that library wants its own imports.

``python read_mds.py EXPORT CACHE``, with the folder of mosaicml-streaming on ``PYTHONPATH``. Every
stream is copied to the new folder CACHE, with its hashes validated, as it would be from a bucket.
Prints the samples of each stream in their order, and how many samples an epoch of the mix has.
"""

import json
import sys
import types
from pathlib import Path

import yaml


def stand_in(name: str, **content: object) -> None:
    """A module in place of one of torchvision's, which the library imports for its pictures."""
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(content)


def main(export: Path, cache: Path) -> None:
    import transformers.feature_extraction_utils
    import transformers.tokenization_utils_base  # noqa: F401

    stand_in("torchvision")
    stand_in("torchvision.datasets", VisionDataset=object)
    stand_in("torchvision.transforms")
    stand_in("torchvision.transforms.functional", to_tensor=None)
    from streaming import Stream, StreamingDataset  # type: ignore[import-not-found]

    mix = yaml.safe_load((export / "streams.yaml").read_text("utf-8"))
    found = {}
    for name, settings in mix.items():
        whole = StreamingDataset(
            remote=str(export / settings["local"]), local=str(cache / name),
            validate_hash="sha256", batch_size=1,
        )  # fmt: skip
        found[name] = [
            sample | {"tokens": sample["tokens"].tolist(), "dtype": sample["tokens"].dtype.name}
            for sample in (whole[number] for number in range(whole.num_samples))
        ]
    streams = [
        Stream(local=str(export / settings["local"]), repeat=settings["repeat"])
        for settings in mix.values()
    ]
    epoch = StreamingDataset(streams=streams, batch_size=1).epoch_size
    print(json.dumps({"samples": found, "epoch": epoch}))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
