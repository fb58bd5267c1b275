"""Restore one damaged image with no training data: deep image prior and a deep denoiser.

The public names are imported when they are first used, so that importing the
package, or starting napari with it, imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_dred.core.blur import estimate_blur
    from napari_dred.core.control import Control
    from napari_dred.core.errors import InputError, RestorationError
    from napari_dred.core.parameters import Parameters
    from napari_dred.core.records import Plan, Result, Step
    from napari_dred.core.restore import plan, restore, solve

try:
    __version__ = version("napari-dred")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "unknown"

_HOME = {
    "Control": "control",
    "InputError": "errors",
    "RestorationError": "errors",
    "Parameters": "parameters",
    "Plan": "records",
    "Result": "records",
    "Step": "records",
    "estimate_blur": "blur",
    "plan": "restore",
    "restore": "restore",
    "solve": "restore",
}

__all__ = [
    "Control",
    "InputError",
    "Parameters",
    "Plan",
    "RestorationError",
    "Result",
    "Step",
    "estimate_blur",
    "plan",
    "restore",
    "solve",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"napari_dred.core.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
