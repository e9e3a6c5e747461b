"""Presidio recognisers for personal data in Danish text.

Each family has its own module and works with ``presidio-analyzer`` alone::

    from presidio_analyzer import RecognizerRegistry
    from dsk_assets.privacy.recognisers.registry import all_recognisers

    registry = RecognizerRegistry(all_recognisers(), supported_languages=["da"])
"""
