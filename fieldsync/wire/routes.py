"""Request paths: each protocol has its own, so that a server that does not support one answers 404. See docs/formats/requests.md."""

SYNC, HEAL, JOIN, RENEW = "sync", "heal", "join", "renew"


def request_path(request: str, protocol: int) -> str:
    """Return the path of a request in a protocol."""
    return f"/v{protocol}/{request}"


def parse_path(path_: str) -> tuple[int, str]:
    """Return the protocol and the request that a path names."""
    version, _, request = path_.removeprefix("/v").partition("/")
    return int(version), request
