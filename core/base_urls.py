"""One spelling for an address, so that two of them can be compared."""

from contextlib import suppress
from urllib.parse import unquote, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def one_spelling(url: str) -> str:
    """Scheme and host in lower case, the host without a dot at its end and in its ASCII form, the default port and slashes at
    the end left out; query, fragment and user too. What is no address comes back stripped."""
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return url.strip()
    if not host:
        return url.strip()
    with suppress(UnicodeError):
        host = host if host.isascii() else host.encode("idna").decode()
    host = f"[{host}]" if ":" in host else host
    scheme = parts.scheme.lower()
    place = host if port is None or port == _DEFAULT_PORTS.get(scheme) else f"{host}:{port}"
    path = "/".join(part for part in unquote(parts.path).split("/") if part not in ("", "."))
    return f"{scheme}://{place}" + (f"/{path}" if path else "")
