from tests.simulators.fineract.fixtures import bank, served_world

__all__ = ["bank", "served_world"]
