"""Everything that touches napari or Qt; nothing below imports it."""
