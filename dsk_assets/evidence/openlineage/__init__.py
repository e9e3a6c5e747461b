"""OpenLineage: statements told as run events, delivered to whoever keeps a catalogue of lineage."""
