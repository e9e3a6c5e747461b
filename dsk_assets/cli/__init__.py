"""The command ``dsk``: thin; each command calls one function of the package."""
