"""OME-XML: what it says of a stack, and the same text for the stack's restored planes."""

from __future__ import annotations

from contextlib import suppress
from xml.etree import ElementTree

from napari_dred.io.axes import STACKED, Selection
from napari_dred.io.metadata import Channel, Metadata, unit_symbol

_TYPES = {"float32": "float", "float64": "double"}
_NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def metadata_of(xml: str) -> Metadata:
    """Read sizes, units and channels of the first image.

    Raises
    ------
    xml.etree.ElementTree.ParseError, ValueError
        If it is no OME-XML.
    """
    root = ElementTree.fromstring(xml)
    image, pixels = root.find(".//{*}Image"), root.find(".//{*}Pixels")
    if image is None or pixels is None:
        raise ValueError("no Pixels in the OME-XML")
    sizes = {}
    for axis in "TZYX":
        name = "TimeIncrement" if axis == "T" else f"PhysicalSize{axis}"
        if name in pixels.attrib and (size := float(pixels.attrib[name])) > 0:
            usual = "s" if axis == "T" else "\N{MICRO SIGN}m"
            sizes[axis] = (size, unit_symbol(pixels.attrib.get(f"{name}Unit", usual)))
    channels = tuple(
        Channel(c.attrib.get("Name", ""), color_text(int(c.attrib["Color"])))
        if "Color" in c.attrib
        else Channel(c.attrib.get("Name", ""))
        for c in pixels.findall("{*}Channel")
    )
    return Metadata(sizes=sizes, channels=channels, ome_xml=xml, name=image.attrib.get("Name", ""))


def color_text(rgba: int) -> str:
    """OME's signed 32-bit RGBA as 'RRGGBB'."""
    return f"{(rgba & 0xFFFFFFFF) >> 8:06X}"


def color_number(text: str) -> int:
    """The reverse, opaque."""
    rgba = (int(text, 16) << 8) | 0xFF
    return rgba - 2**32 if rgba >= 2**31 else rgba


def dimension_order(xml: str) -> str:
    """The axes of the planes in the order in which the file has them, such as 'TZC'."""
    pixels = ElementTree.fromstring(xml).find(".//{*}Pixels")
    order = "" if pixels is None else pixels.attrib.get("DimensionOrder", "")
    letters = order.removeprefix("XY")[::-1]
    return letters if sorted(letters) == sorted(STACKED) else STACKED


def adapted(
    xml: str, selection: Selection, size: tuple[int, int], dtype: str, factor: int = 1
) -> str:
    """Give the text for a file that holds some of the planes, one after the other.

    Everything stands as it was but what tells where the samples lie, their
    type, and the number and size of the pixels.

    Parameters
    ----------
    xml : str
    selection : Selection
        Checked.
    size : (int, int)
        Height and width of the restored planes.
    dtype : str
        Of their samples.
    factor : int
        Restored pixels along each side for one of the old ones.
    """
    root = ElementTree.fromstring(xml)
    namespace = root.tag.partition("}")[0].removeprefix("{") or _NAMESPACE
    ElementTree.register_namespace("", namespace)
    root.attrib.pop("UUID", None)
    for image in root.findall("{*}Image")[1:]:
        root.remove(image)
    pixels = root.find(".//{*}Pixels")
    assert pixels is not None
    planes = {axis: selection.size(axis) for axis in STACKED}
    samples = max(int(c.attrib.get("SamplesPerPixel", 1)) for c in _channels(pixels))
    pixels.attrib |= {
        "SizeX": str(size[1]),
        "SizeY": str(size[0]),
        "SizeZ": str(planes["Z"]),
        "SizeC": str(planes["C"] * samples),
        "SizeT": str(planes["T"]),
        "Type": _TYPES.get(dtype, dtype),
        "BigEndian": "false",
    }
    for name in ("SignificantBits", "Interleaved"):
        pixels.attrib.pop(name, None)
    for axis in "XY":
        if factor > 1 and f"PhysicalSize{axis}" in pixels.attrib:
            size_now = float(pixels.attrib[f"PhysicalSize{axis}"]) / factor
            pixels.attrib[f"PhysicalSize{axis}"] = repr(size_now)
    channels = pixels.findall("{*}Channel")
    for i, channel in enumerate(channels):
        if len(channels) > 1 and i not in selection.range("C"):
            pixels.remove(channel)
    for kind in ("TiffData", "BinData", "MetadataOnly"):
        for element in pixels.findall(f"{{*}}{kind}"):
            pixels.remove(element)
    for element in pixels.findall("{*}Plane"):
        with suppress(KeyError, ValueError):
            at = {axis: int(element.attrib[f"The{axis}"]) for axis in STACKED}
            if all(at[axis] in selection.range(axis) for axis in STACKED):
                start = {axis: selection.range(axis).start for axis in STACKED}
                element.attrib |= {f"The{a}": str(at[a] - start[a]) for a in STACKED}
                continue
        pixels.remove(element)
    last = [i for i, e in enumerate(pixels) if e.tag.endswith("}Channel")]
    count = str(planes["T"] * planes["C"] * planes["Z"])
    data = ElementTree.Element(f"{{{namespace}}}TiffData", {"IFD": "0", "PlaneCount": count})
    pixels.insert(last[-1] + 1 if last else 0, data)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>{text}'


def _channels(pixels: ElementTree.Element) -> list[ElementTree.Element]:
    return pixels.findall("{*}Channel") or [ElementTree.Element("Channel")]
