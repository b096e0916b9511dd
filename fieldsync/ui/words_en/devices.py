"""How a device stands with its server."""

WORDS = {
    "device_known": "heard of",
    "device_enrolled": "enrolled",
    "device_revoked": "locked out",
    "device_forked": "copied",
}
