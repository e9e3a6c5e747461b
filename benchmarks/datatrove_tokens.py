"""datatrove's tokens stage; runs in datatrove's own environment.

    python benchmarks/datatrove_tokens.py INPUT OUTPUT TOKENIZER

Reads Parquet files, and writes ``DocumentTokenizer``'s files with an end-of-text token after each
document, in one process, not shuffled. The last line printed is the number of tokens, which the
index of each file ends with, and the CPU seconds after all was imported.
"""

import sys
import time
from pathlib import Path

import numpy as np
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.tokens import DocumentTokenizer


def main(source: str, out: str, tokenizer: str) -> None:
    """Run the stage as one task."""
    tokens = DocumentTokenizer(
        f"{out}/tokens", tokenizer, eos_token="<|endoftext|>", shuffle_documents=False
    )
    assert tokens.tokenizer  # loaded before the clock starts, as the other's is
    steps = [ParquetReader(source, glob_pattern="*.parquet", id_key="doc_id"), tokens]
    executor = LocalPipelineExecutor(
        steps, tasks=1, workers=1, logging_dir=f"{out}/logs", skip_completed=False
    )
    began = time.process_time()
    executor.run()
    seconds = time.process_time() - began
    indices = [np.fromfile(path, "<u8") for path in Path(out, "tokens").glob("*.ds.index")]
    print(sum(int(ends[-1]) for ends in indices), seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
