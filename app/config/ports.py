"""A port that can be listened on, or one clear line why not."""

import errno
import socket

from polysema.core.errors import ConflictError, UserError


def check_port(port: int, address: str) -> None:
    """Raise `ConflictError` when the port is taken, `UserError` when the address is none of this machine."""
    try:
        family, _, _, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise UserError(f"{address!r} is no address of this machine; 127.0.0.1 is the default") from None
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(place)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ConflictError(f"port {port} of {address} is in use; choose another one with --port") from None
            raise UserError(
                f"can't listen on port {port} of {address}: {error.strerror}; choose another one with --port or "
                "--address"
            ) from None
