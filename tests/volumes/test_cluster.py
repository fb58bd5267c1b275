"""Workers: the same output as without them, also where one of them is killed."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest
from distributed import Client, LocalCluster

from napari_dred.core.errors import InputError
from napari_dred.io.axes import Selection
from napari_dred.io.stack import open_stack
from napari_dred.volumes import cluster
from napari_dred.volumes.cluster import AHEAD, Cluster, pool
from napari_dred.volumes.planning import StackOptions
from napari_dred.volumes.stacks import Progress, restore_stack

# What a cluster of processes leaves to the garbage collector is not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_a_killed_worker_loses_nothing(ome, run, quick, tmp_path):
    some = Selection.from_text("T=0")
    run(ome, tmp_path / "here.ome.zarr", selection=some)
    killed = False
    with pool(2) as workers:
        assert isinstance(workers, Cluster)
        target = tmp_path / "there.ome.zarr"
        for step in restore_stack(ome, target, quick, StackOptions(selection=some), pool=workers):
            if isinstance(step, Progress) and step.done == 2 and not killed:
                killed = True
                for process in workers.processes():
                    os.kill(process, signal.SIGINT)  # as a terminal does, and they go on
                os.kill(workers.processes()[0], signal.SIGKILL)
    assert killed
    with open_stack(tmp_path / "here.ome.zarr") as a, open_stack(target) as b:
        np.testing.assert_array_equal(a.data[:], b.data[:])
    assert not list(tmp_path.glob(".*"))


def test_what_cannot_be_reached_is_said(monkeypatch):
    monkeypatch.setattr(cluster, "TIMEOUT", 1.0)
    with pytest.raises(InputError, match="exclude"), pool(2, "tcp://127.0.0.1:1"):
        pass
    with pytest.raises(InputError, match="cannot be reached"), pool(None, "nonsense:1"):
        pass


_begun = list[int]()


def _noted(number: int) -> None:
    if number == 0:
        raise ValueError("the first one fails")
    _begun.append(number)
    time.sleep(0.3)


def test_what_nobody_waits_for_any_more_is_not_begun():
    _begun.clear()
    local = LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None)
    with local, Client(local) as client:
        with pytest.raises(ValueError, match="the first one fails"):
            list(Cluster(client).run(_noted, [(n,) for n in range(AHEAD)]))
        time.sleep(0.3 * AHEAD)
    assert len(_begun) < AHEAD - 1
