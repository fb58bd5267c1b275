"""The panel "Compare images": views, layers, figures and a line profile of two image layers."""
