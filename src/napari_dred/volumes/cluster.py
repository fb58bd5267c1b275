"""Where the pieces of a restoration are done: here, one by one, or by the workers of a cluster."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from napari_dred.core.errors import InputError, RestorationError

if TYPE_CHECKING:
    from distributed import Client

TIMEOUT = 10.0  # seconds, for a scheduler to answer
AHEAD = 4  # tasks a worker that are handed out at once: a scheduler is slow with very many


class Pool(Protocol):
    """Something that does pieces."""

    workers: int

    def run(self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
        """Call a function with each of the arguments; give what it returns as it comes."""


class Here:
    """This process, one piece after the other."""

    workers = 1

    def run(self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
        """Call a function with each of the arguments; give what it returns in their order."""
        for arguments in calls:
            yield function(*arguments)


class Cluster:
    """The workers of a dask.distributed cluster.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))

    def processes(self) -> list[int]:
        """The process of each worker, on its machine."""
        return [int(n) for n in self._client.run(os.getpid).values()]

    def run(self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
        """Call a function with each of the arguments; give what it returns as it comes.

        What a worker was at when it died is done by another one.

        Raises
        ------
        RestorationError
            If workers keep dying; and whatever the function raises.
        """
        from distributed import KilledWorker, as_completed

        left, waiting = iter(calls), set[Any]()

        def submit(arguments: tuple[Any, ...]) -> Any:
            future = self._client.submit(function, *arguments, pure=False, retries=0)
            waiting.add(future)
            return future

        done = as_completed([submit(a) for a in islice(left, AHEAD * self.workers)])
        try:
            for future in done:
                waiting.discard(future)
                try:
                    result = future.result()
                except KilledWorker as e:
                    raise RestorationError(
                        f"the workers that were given a piece of the work died one after the "
                        f"other ({e}); they may lack memory: use fewer workers or smaller tiles"
                    ) from e
                future.release()
                for arguments in islice(left, 1):
                    done.add(submit(arguments))
                yield result
        finally:
            done.clear()
            self._client.cancel([*waiting], force=True)  # nobody would ask for their results


@contextmanager
def pool(workers: int | None = None, scheduler: str | None = None) -> Iterator[Pool]:
    """Choose where the work is done.

    Parameters
    ----------
    workers : int, optional
        Processes that are started on this machine.
    scheduler : str, optional
        Address of a scheduler that is running, such as 'tcp://host:8786'.

    Raises
    ------
    InputError
        If both are given, or the scheduler cannot be reached.
    """
    if workers and scheduler:
        raise InputError("workers and scheduler exclude each other; give one of them")
    if not workers and not scheduler:
        yield Here()
        return
    from distributed import Client, LocalCluster

    with ExitStack() as files:
        if scheduler:
            try:
                client = files.enter_context(Client(scheduler, timeout=TIMEOUT))
            except (OSError, ValueError, TimeoutError) as e:
                raise InputError(
                    f"scheduler is {scheduler!r}, which cannot be reached ({e}); "
                    "give an address such as tcp://host:8786"
                ) from None
        else:
            with _no_interruption():
                cluster = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    memory_limit=0,  # torch takes its memory in one go: no reason to kill it
                    dashboard_address=None,
                )
            client = files.enter_context(Client(files.enter_context(cluster)))
        yield Cluster(client)


@contextmanager
def _no_interruption() -> Iterator[None]:
    """Start processes that Ctrl-C, which a terminal sends to all, does not concern.

    This one ends them; each would print a traceback of its own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # which may not say what signals do
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def threads_each(workers: int) -> int:
    """Processor threads for each of so many processes on this machine."""
    return (
        max(1, len(os.sched_getaffinity(0)) // workers) if hasattr(os, "sched_getaffinity") else 1
    )
