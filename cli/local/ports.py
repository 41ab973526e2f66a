"""Ports: is it free, and which one is."""

import socket


class PortTaken(Exception):
    """Somebody else listens where we want to; the message names the setting that moves us elsewhere."""


def ensure_free(host: str, port: int, setting_name: str) -> None:
    """Raises PortTaken, naming the setting (such as `KIVUKO_API__PORT`), if nothing of ours could listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do it: a port whose last connections are only winding down is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(
                f"{host}:{port} cannot be used ({error.strerror}). Stop what listens there, "
                f"or choose another port with {setting_name}."
            ) from None


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free right now. Another process may take it before you do; ask again if it does."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
