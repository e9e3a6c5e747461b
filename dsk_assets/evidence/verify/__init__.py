"""Verification of the evidence, from artefacts up, by rules that trust nobody's word.

``faults``, ``envelopes``, ``trust``, ``graph``, ``attested``, ``times`` and ``rules`` import the
standard library and ``cryptography`` alone: together with ``merkle`` and ``notes`` they become the
single file that an evidence pack carries (see ``pack``). ``lake`` applies the same rules to a lake.
"""
