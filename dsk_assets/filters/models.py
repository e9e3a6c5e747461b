"""Importing this loads the careful detector's models, for all processes that are forked later."""

from dsk_assets.filters import careful

careful.load()
