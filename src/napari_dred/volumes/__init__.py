"""Parts and stacks: rectangles, tiles, planes and channels, each restored by the core."""

from napari_dred.volumes.regions import MARGIN, Record, Region, Solver, solve_region

__all__ = ["MARGIN", "Record", "Region", "Solver", "solve_region"]
