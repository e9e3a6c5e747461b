"""Data lineage for openly released Danish language models."""

__version__ = "0.1.0"
