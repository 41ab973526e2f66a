from tests.simulators.bank.fixtures import bench

__all__ = ["bench"]
