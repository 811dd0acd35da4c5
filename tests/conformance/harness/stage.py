"""What the cases of a file get: two clouds, one without delays and one with, and the programs under test."""

import contextlib
import functools
import tempfile
from pathlib import Path

from harness.build import Builder
from harness.clients import PRODUCTS, ProductClient
from harness.process import CloudProcess


class Cloud:
    """A running cloud, the official clients of it, and quick ways to what most cases need."""

    def __init__(self, address, shapes):
        self.address = address
        self.shapes = shapes
        self.clients = {}
        self.build = Builder(self)

    def client(self, product, **settings):
        """A client with settings of its own."""
        return ProductClient(self.address, product, self.shapes, **settings)

    def __call__(self, operation, **parameters):
        """Calls `Product.Action`."""
        product, action = operation.rsplit(".", 1)
        return self.product(product)(action, **parameters)

    def product(self, product):
        """The client of a product; made once."""
        if product not in self.clients:
            assert product in PRODUCTS, f"{product} is no product"
            self.clients[product] = self.client(product)
        return self.clients[product]


class Stage:
    """Everything the cases of one file share. Its clouds start when they are asked for and end with it."""

    def __init__(self, folder, programs, shapes):
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        #: The programs under test, by name.
        self.programs = programs
        #: By action, what the SDK could not read of its replies.
        self.shapes = shapes
        #: Call logs of clouds that have ended.
        self.logs = []
        self.running = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.running.close()

    def start(self, pace):
        """A cloud of this pace; its call log is kept when it ends."""
        process = CloudProcess(self.programs["mock-cloud"], self.folder / pace, pace)
        address = self.running.enter_context(process).address
        self.running.callback(lambda: self.logs.append(address.calls()))
        return Cloud(address, self.shapes)

    @functools.cached_property
    def instant(self):
        """A cloud without delays: what is written is there."""
        return self.start("instant")

    @functools.cached_property
    def brisk(self):
        """A cloud with short delays: every state can be seen."""
        return self.start("brisk")

    def __call__(self, operation, **parameters):
        """Calls `Product.Action` in the cloud without delays."""
        return self.instant(operation, **parameters)

    @property
    def build(self):
        """Makes resources in the cloud without delays."""
        return self.instant.build
