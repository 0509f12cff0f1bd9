"""Train with workers that are Ray tasks: python docs/ray_workers.py 2 vae-digits --steps 200.

Ray finds the machines; how processes join is the launcher's contract: coordinator, number, index.
"""

import os
import socket
import sys
from pathlib import Path

import ray


@ray.remote(max_retries=0)
def address() -> str:
    """HOST:PORT of this worker's machine, for the coordinator."""
    with socket.socket() as free:
        free.bind(("", 0))
        return f"{ray.util.get_node_ip_address()}:{free.getsockname()[1]}"


@ray.remote(max_retries=0, max_calls=1)  # each in a process of its own, which then ends
def work(flags: list[str], coordinator: str, count: int, index: int) -> int:
    place = {"COORDINATOR": coordinator, "NUM_PROCESSES": count, "PROCESS_ID": index}
    os.environ.update({f"JAXGEN_{name}": str(value) for name, value in place.items()})
    from jaxgen.cli import main_train

    sys.argv = ["train.py", *flags]
    main_train()
    return index


if __name__ == "__main__":
    count, flags = int(sys.argv[1]), sys.argv[2:]
    ray.init(runtime_env={"env_vars": {"PYTHONPATH": str(Path.cwd())}})
    coordinator = ray.get(address.remote())
    workers = [work.remote(flags, coordinator, count, index) for index in range(count)]
    while workers:  # the first that fails is raised here, and Ray ends the others
        _, workers = ray.wait(workers)
        ray.get(_)
