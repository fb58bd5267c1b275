"""The method: arrays and tensors in, arrays out. No Qt, no napari, nothing above it."""
