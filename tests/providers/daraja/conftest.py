from tests.providers.daraja.fixtures import bench, desk

__all__ = ["bench", "desk"]
