"""The sandbox as a process of its own: prints one JSON line when ready, stops on SIGTERM."""

import argparse
import asyncio
import gc
import gzip
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from evosync.sandbox.options import Latency
from evosync.sandbox.seed import Demo, plain_catalog, seed_demo, seed_owner
from evosync.sandbox.server import serve
from evosync.sandbox.state import Sandbox


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evosync sandbox",
        description="An imitation of the Evotor cloud and the VK API. Prints one JSON line when it is ready.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8090, help="port, 0 for a free one (default: %(default)s)")
    parser.add_argument("--seed", choices=("demo", "none"), default="none", help="start with the demo shop")
    parser.add_argument(
        "--catalog", type=Path, metavar="FILE.gz", help="a catalog file to sell instead of the demo goods"
    )
    parser.add_argument("--first", type=int, metavar="N", help="only the first N products of the catalog")
    parser.add_argument("--owners", type=int, default=0, metavar="N", help="seed so many owners with a shop each")
    parser.add_argument(
        "--products", type=int, default=500, metavar="M", help="products of each owner (default: %(default)s)"
    )
    parser.add_argument(
        "--latency-file", type=Path, metavar="JSON", help='seconds of delay by name, e.g. {"vk_request": 0.3}'
    )
    return parser


def read_catalog(path: Path) -> Mapping[str, object]:
    """A catalog from a JSON file, gzipped or not.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no catalog.
    """
    body = path.read_bytes()
    whole = json.loads(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
    if not isinstance(whole, dict) or "products" not in whole:
        message = f"{path} is no catalog: it has no products"
        raise ValueError(message)
    return whole


def set_latency(latency: Latency, values: Mapping[str, object]) -> None:
    """Set delays by name.

    Raises:
        ValueError: an unknown name or a value that is no number.
    """
    names = {field.name for field in fields(Latency)} - {"dice"}
    for name, value in values.items():
        if name not in names or isinstance(value, bool) or not isinstance(value, int | float):
            message = f"{name}: {value!r} is no delay, known are {', '.join(sorted(names))}"
            raise ValueError(message)
        setattr(latency, name, float(value))


def _seeded(options: argparse.Namespace, sandbox: Sandbox) -> list[Demo]:
    catalog = read_catalog(options.catalog) if options.catalog else None
    if options.latency_file:
        set_latency(sandbox.latency, json.loads(options.latency_file.read_bytes()))
    seeded = []
    if options.seed == "demo" or (catalog is not None and not options.owners):
        seeded.append(seed_demo(sandbox, catalog, options.first))
    goods = catalog if catalog is not None else plain_catalog(options.products)
    seeded += [seed_owner(sandbox, number, goods, options.products) for number in range(1, options.owners + 1)]
    return seeded


async def _run(options: argparse.Namespace, sandbox: Sandbox, seeded: Sequence[Demo]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serve(sandbox, host=options.host, port=options.port) as running:
        ready = {
            "url": running.url,
            "evotor_url": running.evotor_url,
            "vk_url": running.vk_url,
            "port": running.port,
            "owners": [demo.described(running.url) for demo in seeded],
        }
        sys.stdout.write(json.dumps(ready, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        await stop.wait()


def main(argv: Sequence[str]) -> int:
    """Run until told to stop; 2 for wrong arguments, 1 when the port or a file cannot be had."""
    options = _parser().parse_args(argv)
    sandbox = Sandbox()
    try:
        seeded = _seeded(options, sandbox)
        # A pass of the collector over a hundred thousand products or new items would look like a slow network.
        gc.freeze()
        gc.set_threshold(50_000, 50, 1_000)
        asyncio.run(_run(options, sandbox, seeded))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 1
    return 0
