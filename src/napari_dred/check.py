"""The paper's section IV, measured: whether a denoiser is what RED takes it for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_dred.core.errors import InputError
from napari_dred.core.methods import DENOISERS

# Table I (normalised error of symmetry) and Fig. 3 (homogeneity).
PAPER_NEM = {"nlm": 0.7638, "bm3d": 0.7039, "tnrd": 0.0259, "dncnn": 0.0116, "ffdnet": 0.0073}
PAPER_HOMOGENEITY = {"ffdnet": {"ssim": 0.999, "mse": 1.16e-6}}
LEAST_SIDE = 11  # that SSIM takes


@dataclass(frozen=True)
class Settings:
    """How it is measured; the defaults are the paper's, where it says.

    Attributes
    ----------
    epsilon : float
        An image is made brighter by this part of itself.
    rho : float
        Half the distance of central differences, on the [0, 1] scale.
    sigma_homogeneity, sigma_symmetry : float
        Noise that is added, and level given to the denoiser, on a 0-255 scale.
    crop : int
        Side of the part in the middle whose Jacobian is computed whole.
    probes : int
        Random probes of the whole image's Jacobian; 0 to leave that out.
    seed : int
        Of noise and probes.
    """

    epsilon: float = 0.01
    rho: float = 0.001
    sigma_homogeneity: float = 5.0
    sigma_symmetry: float = 50.0
    crop: int = 16
    probes: int = 4
    seed: int = 0


@dataclass(frozen=True)
class Row:
    """One denoiser on one image.

    Attributes
    ----------
    denoiser, image : str
    figures : dict of float or None
        By name, see `FIGURES`.
    difference : (H, W) or (H, W, C) float64 array
        f((1 + epsilon) X) - (1 + epsilon) f(X).
    """

    denoiser: str
    image: str
    figures: dict[str, float | None]
    difference: NDArray[np.float64]


FIGURES = {
    "bend": "differentiability: one-sided differences apart, a step of rho away",
    "bend_at_a_tenth": "  the same at rho / 10; smaller by as much where f is differentiable",
    "ssim": "homogeneity: SSIM of f((1 + eps) X) with (1 + eps) f(X)",
    "mse": "  mean square of their difference",
    "error_over_eps": "  their distance in parts of eps |f(X)|; 0: homogeneous, 1: blind to it",
    "crop_nem": "symmetry: |J - J'|^2 / |J|^2, whole Jacobian of a crop",
    "crop_distance": "  |J - I| / |I|, as much as the denoiser does",
    "crop_homogeneity": "  |J X - f(X)| / |f(X)|",
    "crop_defect": "  |J' X - f(X)| / 2 |X - f(X)|, error of RED's gradient",
    "nem": "symmetry: the same on the whole image, by random probes",
    "distance": "  |J - I| / |I|",
    "homogeneity": "  |J X - f(X)| / |f(X)|",
    "defect": "  |J' X - f(X)| / 2 |X - f(X)|",
}


def measure(
    image: ArrayLike,
    denoiser: str = "ffdnet",
    *,
    name: str = "",
    weights: str | None = None,
    settings: Settings | None = None,
) -> Row:
    """Measure one denoiser on one clean image, to which noise is added.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array of real numbers
    denoiser : str
        One of 'ffdnet', 'dncnn', 'tnrd', 'nlm', 'bm3d'.
    name : str
        What to call the image.
    weights : str, optional
        File with weights of the denoiser.
    settings : Settings, optional

    Raises
    ------
    InputError
        If the denoiser cannot be had, or the image is too small.
    """
    import torch

    from napari_dred.core import jacobian as measures
    from napari_dred.metrics import default_data_range, ssim

    s = settings or Settings()
    a = np.asarray(image)
    if a.ndim not in (2, 3) or min(a.shape[:2]) < max(LEAST_SIDE, s.crop):
        raise InputError(
            f"the image {name} has shape {a.shape}; it must be (height, width) or (height, width, "
            f"channels) with at least {max(LEAST_SIDE, s.crop)} pixels a side"
        )
    planes = np.moveaxis(np.atleast_3d(a).astype(np.float64), -1, 0) / default_data_range(a)
    clean = torch.from_numpy(np.ascontiguousarray(planes))[None]
    generator = torch.Generator().manual_seed(s.seed)
    noise = torch.randn(clean.shape, generator=generator, dtype=torch.float64)

    level = s.sigma_homogeneity / 255
    f = measures.fix(denoiser, clean.shape[1], level, weights)
    first, second = measures.scaled(f, clean + level * noise, s.epsilon)
    ours, theirs = (np.moveaxis(t[0].numpy(), 0, -1) for t in (first, second))
    difference = ours - theirs
    figures: dict[str, float | None] = {
        "ssim": ssim(ours, theirs, 1.0),
        "mse": float(np.square(difference).mean()),
        "error_over_eps": float(
            np.linalg.norm(difference) / np.linalg.norm(theirs) * (1 + s.epsilon) / s.epsilon
        ),
    }

    level = s.sigma_symmetry / 255
    f = measures.fix(denoiser, clean.shape[1], level, weights)
    noisy = clean + level * noise
    part = _middle(noisy, s.crop)
    figures["bend"] = measures.bend(f, noisy, s.rho, torch.Generator().manual_seed(s.seed))
    figures["bend_at_a_tenth"] = measures.bend(
        f, noisy, s.rho / 10, torch.Generator().manual_seed(s.seed)
    )
    for key, value in asdict(measures.exact(f, part, s.rho)).items():
        figures[f"crop_{key}"] = value
    if s.probes:
        # Networks need half the memory so, and derivatives no more digits.
        whole = noisy.float() if f.smooth else noisy
        figures |= asdict(measures.probed(f, whole, s.rho, s.probes, generator))
    ordered = {key: figures.get(key) for key in FIGURES}
    return Row(denoiser, name, ordered, difference[..., 0] if a.ndim == 2 else difference)


def _middle(x: Any, side: int) -> Any:
    top, left = ((n - side) // 2 for n in x.shape[-2:])
    return x[..., top : top + side, left : left + side].contiguous()


def rows(
    images: Mapping[str, ArrayLike],
    denoisers: Iterable[str] = DENOISERS,
    *,
    weights: str | None = None,
    settings: Settings | None = None,
) -> Iterator[Row | tuple[str, str]]:
    """Measure each denoiser on each image.

    Yields
    ------
    Row
        Or, for a denoiser that cannot be had here, its name and the reason.
    """
    for denoiser in denoisers:
        try:
            for name, image in images.items():
                yield measure(image, denoiser, name=name, weights=weights, settings=settings)
        except InputError as e:
            yield denoiser, str(e)


def report(measured: Sequence[Row | tuple[str, str]], settings: Settings) -> dict[str, Any]:
    """All of it, JSON-able: for each denoiser the means, each image's figures, the paper's."""
    parts: dict[str, Any] = {}
    for row in measured:
        if isinstance(row, tuple):
            parts[row[0]] = {"left_out": row[1]}
            continue
        part = parts.setdefault(row.denoiser, {"means": {}, "images": {}, "paper": {}})
        part["images"][row.image] = row.figures
    for denoiser, part in parts.items():
        if "images" not in part:
            continue
        for key in FIGURES:
            values = [figures[key] for figures in part["images"].values()]
            part["means"][key] = None if None in values else fmean(values)
        part["paper"] = PAPER_HOMOGENEITY.get(denoiser, {}) | {"nem": PAPER_NEM[denoiser]}
    return {"settings": asdict(settings), "denoisers": parts}


def as_text(reported: dict[str, Any]) -> str:
    """What `report` gave, for people."""
    lines = []
    for denoiser, part in reported["denoisers"].items():
        if "left_out" in part:
            lines += [f"{denoiser}: left out: {part['left_out']}", ""]
            continue
        lines.append(f"{denoiser}, mean of {len(part['images'])} image(s)")
        for key, words in FIGURES.items():
            value = part["means"][key]
            paper = part["paper"].get(key.removeprefix("crop_"))
            beside = "" if paper is None else f"   paper: {paper:.4g}"
            shown = "-" if value is None else f"{value:.4g}"
            lines.append(f"  {shown:>10}  {words}{beside}")
        lines.append("")
    return "\n".join(lines).rstrip()


def difference_picture(difference: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The difference map as a gray or colour picture: 128 is none, 1 and 255 the largest."""
    largest = float(np.abs(difference).max()) or 1.0
    picture: NDArray[np.uint8] = np.rint(128 + 127 * difference / largest).astype(np.uint8)
    return picture
