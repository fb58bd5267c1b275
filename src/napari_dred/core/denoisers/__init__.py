"""Denoisers f(X, sigma): trained beforehand, and frozen."""
