"""Protocol versions and the features of each.

1 (2026-11, release 0.1): hello, commits, acknowledgement, states, end; ask and found for range repair.
2 (2026-12, release 0.2): a request's signature names the server and covers the frames after the hello; places are reserved for
  protocol 3. Messages are those of 1, with new items at their ends.
"""

PROTOCOL = 2
"""The protocol that this program speaks."""

OLDEST = 1
"""The oldest protocol that a server of this release still serves, push only; a client speaks it in full to older servers."""

NAMES_SERVER = 2
"""From this on signatures of requests, joinings and renewals name the server that they are for (also in crypto/chain.py)."""

PULLS = 2
"""From this on a server sends a device records; with older ones nobody knows for which server a request was signed."""

SENDS_CONTEXTS = 2
"""From this on states and commits name what a value was written over, in the places that were reserved for it."""

CARRIES_UNREAD = 2
"""From this on a frame carries commits that the program which passes them on cannot read."""

CUTS_FRAMES = 2
"""From this on a payload that is too large for one frame is cut."""

FILLS_FRAMES = 2
"""From this on a device's own frame may hold more commits than one of 0.1 could."""

NAMES_FORMER = 2
"""From this on a laptop tells of its former identities, and sends their commits where a server lacks them."""

SENDS_RECEIPTS = 2
"""From this on a branch states where its devices stand, and who took their commits first."""

RETURNS_FORMS = 2
"""From this on signed forms go up to a server that was put back to before them."""

LISTS_FORMS = 2
"""From this on forms are listed by hash, and those texts that are lacked follow in pieces."""

KEEPS_RESERVED = 2
"""From this on both sides keep and pass on pieces that newer programs say."""

SENDS_REPORTS = 2
"""From this on a branch tells how the devices below it are."""

TELLS_REGISTER = 2
"""From this on a hello says how far the trust register is here, and both sides tell of it."""
