"""One plane: an array and parameters in; a plan, steps and a result out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import ArrayLike

from napari_dred.core.control import Control
from napari_dred.core.parameters import Parameters
from napari_dred.core.records import Plan, Result, Step


def plan(
    image: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    psf: ArrayLike | None = None,
    parameters: Parameters | None = None,
    **overrides: Any,
) -> Plan: ...


def solve(
    image: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    psf: ArrayLike | None = None,
    parameters: Parameters | None = None,
    control: Control | None = None,
    **overrides: Any,
) -> Iterator[Plan | Step | Result]: ...


def restore(
    image: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    psf: ArrayLike | None = None,
    parameters: Parameters | None = None,
    control: Control | None = None,
    **overrides: Any,
) -> Result: ...
