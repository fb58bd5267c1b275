"""Measurements that take too long for tests; run as `python -m benchmarks`."""
