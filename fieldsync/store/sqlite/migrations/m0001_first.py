"""The first tables. Records, devices, authors and channels have short local numbers `n`; ids are 16-byte blobs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils

TABLES = (
    # this node's own facts: who it is, its keys, its schema, its clock
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
    # the forms that this node has worked with, compiled, by the first bytes of their texts' hash
    "CREATE TABLE schema_past (n INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, schema BLOB NOT NULL)",
    """CREATE TABLE device (
        n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, letters TEXT, person TEXT, key BLOB, grants TEXT,
        state TEXT NOT NULL DEFAULT 'known', head INTEGER NOT NULL DEFAULT 0, chain BLOB,
        nonce INTEGER NOT NULL DEFAULT 0, enrolled INTEGER, seen INTEGER,
        changed INTEGER NOT NULL DEFAULT 0, arrival INTEGER NOT NULL DEFAULT 0, former TEXT NOT NULL DEFAULT '[]',
        copy_of BLOB, copied_after INTEGER)""",
    "CREATE TABLE author (n INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    """CREATE TABLE channel (
        n INTEGER PRIMARY KEY, unit TEXT NOT NULL UNIQUE, arrival INTEGER NOT NULL DEFAULT 0,
        digest INTEGER NOT NULL DEFAULT 0, records INTEGER NOT NULL DEFAULT 0, past INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE record (
        n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, type TEXT NOT NULL, channel INTEGER NOT NULL,
        arrival INTEGER NOT NULL, term INTEGER NOT NULL, owner BLOB, code TEXT, conflicts TEXT,
        registers BLOB NOT NULL, doc TEXT NOT NULL)""",
    "CREATE INDEX record_by_code ON record (code)",
    "CREATE INDEX record_by_type ON record (type)",
    "CREATE INDEX record_by_owner ON record (owner) WHERE owner IS NOT NULL",
    "CREATE INDEX record_in_conflict ON record (n) WHERE conflicts IS NOT NULL",
    """CREATE TABLE channel_entry (
        channel INTEGER NOT NULL, arrival INTEGER NOT NULL, record INTEGER NOT NULL, gone INTEGER NOT NULL,
        PRIMARY KEY (channel, arrival)) WITHOUT ROWID""",
    "CREATE INDEX channel_entry_left ON channel_entry (record) WHERE gone",
    # the further channels of records whose unit is in conflict: few, as long as people settle what they disagree on
    """CREATE TABLE channel_also (
        record INTEGER NOT NULL, channel INTEGER NOT NULL, arrival INTEGER NOT NULL,
        PRIMARY KEY (record, channel)) WITHOUT ROWID""",
    # what of a record is in the channel of a unit that it was shared with, and what it adds to that channel's digest
    """CREATE TABLE share (
        channel INTEGER NOT NULL, record INTEGER NOT NULL, arrival INTEGER NOT NULL, term INTEGER NOT NULL,
        fields TEXT NOT NULL, PRIMARY KEY (channel, record)) WITHOUT ROWID""",
    "CREATE INDEX share_by_record ON share (record)",
    # by which record (a referral, say) which fields of which are shared there; channel 0: the sharing depends on that record
    """CREATE TABLE share_part (
        source BLOB NOT NULL, record BLOB NOT NULL, channel INTEGER NOT NULL, fields TEXT NOT NULL,
        PRIMARY KEY (source, record, channel)) WITHOUT ROWID""",
    "CREATE INDEX share_part_by_record ON share_part (record)",
    # records taken off this node as they left its units, until a person has seen the notice
    "CREATE TABLE departed (record BLOB PRIMARY KEY, code TEXT, type TEXT NOT NULL, unit TEXT) WITHOUT ROWID",
    # with row numbers: a commit's bytes would not fit the cell of an index
    """CREATE TABLE commit_log (
        device INTEGER NOT NULL, seq INTEGER NOT NULL, stamp INTEGER NOT NULL, author INTEGER NOT NULL,
        record BLOB NOT NULL, note TEXT, body BLOB, hash BLOB NOT NULL, chain BLOB NOT NULL,
        seal BLOB, PRIMARY KEY (device, seq))""",
    # which commits are about a record, by the last six bytes of its id (random in every version of UUID, and smaller than
    # all sixteen); new ones in a small table of their own, as each would rewrite another page of the large one
    *(
        f"CREATE TABLE {table} (record BLOB, device INTEGER, seq INTEGER, PRIMARY KEY (record, device, seq)) WITHOUT ROWID"
        for table in ("commit_about", "commit_about_new")
    ),
    # records whose words are not in the full-text table yet: find catches up
    "CREATE TABLE unsearched (n INTEGER PRIMARY KEY)",
    # who may be one with whom: the blocks that candidates meet in, which records are to be put there or compared (caught up
    # like full text), the pairs found; then what people said: who was merged into whom (and for whom each stands), who are two
    # (a block's member is one number, the block's times 2^31 plus the record's: the cheapest table that there is)
    "CREATE TABLE block (member INTEGER PRIMARY KEY)",
    "CREATE TABLE unkeyed (n INTEGER PRIMARY KEY)",
    "CREATE TABLE unpaired (n INTEGER PRIMARY KEY)",
    """CREATE TABLE pair (
        n INTEGER PRIMARY KEY AUTOINCREMENT, a INTEGER NOT NULL, b INTEGER NOT NULL, score REAL NOT NULL, reasons TEXT NOT NULL,
        UNIQUE (a, b))""",
    "CREATE INDEX pair_second ON pair (b)",
    "CREATE TABLE same (record TEXT PRIMARY KEY, other TEXT NOT NULL, root TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX same_root ON same (root)",
    "CREATE TABLE apart (a BLOB NOT NULL, b BLOB NOT NULL, PRIMARY KEY (a, b)) WITHOUT ROWID",
    # records of which a server said that they may be registered elsewhere, too; n counts on where pair's n is
    "CREATE TABLE elsewhere (record BLOB PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID",
    # commits that were verified and kept, but not applied; "" is one that was applied after all; some wait for others
    """CREATE TABLE refusal (
        device INTEGER NOT NULL, seq INTEGER NOT NULL, reason TEXT NOT NULL, facts TEXT NOT NULL,
        arrival INTEGER NOT NULL, waits INTEGER NOT NULL, PRIMARY KEY (device, seq)) WITHOUT ROWID""",
    "CREATE INDEX refusal_waiting ON refusal (device, seq) WHERE waits",
    # how far this node is with each server: the arrivals taken, the commits acknowledged
    """CREATE TABLE server (
        id BLOB PRIMARY KEY, name TEXT NOT NULL, address TEXT NOT NULL, pin BLOB NOT NULL, nonce BLOB,
        unsure INTEGER NOT NULL DEFAULT 0, synced INTEGER, mixed INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID""",
    """CREATE TABLE cursor (
        server BLOB NOT NULL, channel INTEGER NOT NULL, arrival INTEGER NOT NULL, whole INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (server, channel)) WITHOUT ROWID""",
    """CREATE TABLE receipt (
        server BLOB NOT NULL, device INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, arrival INTEGER NOT NULL,
        PRIMARY KEY (server, device)) WITHOUT ROWID""",
    # the chain of what a device signed besides the commits in the log: re-issued as the shared successor's, from behind its first row on
    """CREATE TABLE parted (
        device INTEGER NOT NULL, heir BLOB NOT NULL, seq INTEGER NOT NULL, chain BLOB NOT NULL,
        PRIMARY KEY (device, heir, seq)) WITHOUT ROWID""",
    # commits that a clock known to be off has stamped; numbers are never given out twice
    """CREATE TABLE clock_off (
        n INTEGER PRIMARY KEY AUTOINCREMENT, device BLOB NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
        off INTEGER NOT NULL)""",
    """CREATE TABLE invite (
        id BLOB PRIMARY KEY, secret BLOB NOT NULL, person TEXT NOT NULL, grants TEXT NOT NULL, expires INTEGER NOT NULL,
        used INTEGER, device BLOB) WITHOUT ROWID""",
    # for bundles: who can read one, how far a device said it is; those that were packed, and those taken
    "CREATE TABLE peer (id BLOB PRIMARY KEY, age TEXT, hello BLOB) WITHOUT ROWID",
    """CREATE TABLE bundle (
        peer BLOB NOT NULL, packed INTEGER NOT NULL, number INTEGER NOT NULL, id BLOB NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (peer, packed, number, id)) WITHOUT ROWID""",
    # whose commits are in a bundle that was packed for servers: those behind `after`, up to `last`
    """CREATE TABLE bundle_part (
        device INTEGER NOT NULL, number INTEGER NOT NULL, after INTEGER NOT NULL, last INTEGER NOT NULL,
        PRIMARY KEY (device, number)) WITHOUT ROWID""",
    # up to which arrival of a channel the reports' sheets are
    "CREATE TABLE sheet_cursor (channel INTEGER PRIMARY KEY, arrival INTEGER NOT NULL)",
    # reports of a month (or year) as they were issued, once and for all
    """CREATE TABLE issue (
        report TEXT NOT NULL, period TEXT NOT NULL, unit TEXT NOT NULL, at INTEGER NOT NULL, by TEXT NOT NULL,
        rows TEXT NOT NULL, as_of TEXT NOT NULL, PRIMARY KEY (report, period, unit)) WITHOUT ROWID""",
)


def apply(db: "sqlite_utils.Database") -> None:
    """Make the tables."""
    for statement in TABLES:
        db.execute(statement)
