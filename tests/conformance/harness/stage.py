"""What a case gets: two clouds, one without delays and one with, and the programs under test."""

from dataclasses import dataclass
from pathlib import Path

from harness.build import Builder
from harness.clients import PRODUCTS, ProductClient


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


@dataclass(eq=False)
class Stage:
    """Everything the cases share."""

    #: No delays: what is written is there.
    instant: Cloud
    #: Short delays: every state can be seen.
    brisk: Cloud
    #: Replies as they were, by action: what the SDK could not read of them.
    shapes: dict
    #: Folder for what cases write.
    folder: Path
    #: The programs under test, by name.
    programs: dict
    #: Call logs of clouds that have ended.
    ended: list

    def __call__(self, operation, **parameters):
        """Calls `Product.Action` in the cloud without delays."""
        return self.instant(operation, **parameters)

    @property
    def build(self):
        """Makes resources in the cloud without delays."""
        return self.instant.build
