"""For what goes over all rails. A folder of one provider has its own `bench`."""

from tests.providers.daraja.fixtures import desk
from tests.simulators.bank.fixtures import bench as bank

__all__ = ["bank", "desk"]
