"""The sample images as layers, for File > Open Sample, and what those tell of their damage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_dred import samples
from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.types import LayerData

#: Under this key of a sample's metadata lies what is known of its damage, as fields of
#: `Parameters`; the panel takes it from there.
SAMPLE_KEY = "napari-dred-sample"
#: Under this key of the metadata of a sample's image and of its mask lies the sample's name.
MASKED_KEY = "napari-dred-sample-masked"
MASK_COLOUR = "#00ff40"


def damaged_scan() -> list[LayerData]:
    """A portrait with scratches and stains, and a Labels layer that marks them."""
    return _layers(samples.damaged_scan())


def noisy_micrograph() -> list[LayerData]:
    """Stained tissue with strong noise."""
    return _layers(samples.noisy_micrograph())


def blurred() -> list[LayerData]:
    """A page out of focus."""
    return _layers(samples.blurred())


def low_resolution() -> list[LayerData]:
    """A photograph at half its resolution."""
    return _layers(samples.low_resolution())


def _layers(sample: samples.Sample) -> list[Any]:
    image: dict[str, Any] = {
        "name": sample.name,
        "rgb": sample.image.ndim == 3,
        "contrast_limits": (0, 255),
        "metadata": {SAMPLE_KEY: dict(sample.parameters)},
    }
    layers: list[Any] = [(sample.image, image, "image")]
    if sample.mask is not None:
        from napari.utils.colormaps import DirectLabelColormap

        image["metadata"] |= {MASKED_KEY: sample.name}
        mask = {
            "name": f"{sample.name} (mask)",
            "opacity": 0.6,
            "metadata": {MASKED_KEY: sample.name},
            # Any label is a missing pixel: one colour for all, which no photograph has.
            "colormap": DirectLabelColormap(color_dict={0: "transparent", None: MASK_COLOUR}),
        }
        layers.append((sample.mask.astype("uint8"), mask, "labels"))
    return layers


def may_mask(mask: Layer, image: Layer) -> bool:
    """Whether a mask can be meant for an image: a sample's is for no other one."""
    name = mask.metadata.get(MASKED_KEY)
    return name is None or name == image.metadata.get(MASKED_KEY)


def damage_of(layer: Layer) -> Parameters | None:
    """What a sample's layer tells of its damage; None for any other layer.

    Raises
    ------
    InputError
        If what stands there does not tell any.
    """
    told = layer.metadata.get(SAMPLE_KEY)
    if told is None:
        return None
    try:
        if not isinstance(told, Mapping):
            raise InputError(f"{told!r} is no list of parameters")
        return Parameters.from_dict(told)
    except InputError as e:
        raise InputError(f"the layer {layer.name!r} tells of a sample what is wrong: {e}") from None
