"""datatrove's tokens stage; runs in datatrove's own environment.

    python benchmarks/datatrove_tokens.py INPUT OUTPUT TOKENIZER

Reads Parquet files, and writes ``DocumentTokenizer``'s files with an end-of-text token after each
document, in one process, not shuffled. The last line printed is the CPU seconds after all
was imported.
"""

import sys
import time

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
    print(time.process_time() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])
