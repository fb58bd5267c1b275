"""The exceptions of the package: what a user did, and what a run ran into."""

from __future__ import annotations


class InputError(ValueError):
    """An image, mask, kernel, file or parameter cannot be used as given.

    The message names what was wrong, with its value, and what is allowed.
    """


class RestorationError(Exception):
    """A run failed while it was under way (memory, numbers).

    Not a `RuntimeError`: napari's generator workers swallow those.
    """
