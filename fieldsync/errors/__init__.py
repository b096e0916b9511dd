"""One error tree: facts as fields, a code, an exit code and an HTTP status; words are made at the edge.

All of them are imported from here; each branch has a module of its own.

FieldsyncError                      exit  status
├── Fault (ours)                      1     500   DiskFull, Unexpected
├── Usage                             2     400
├── BadInput                          3     422   UnknownType, UnknownField, UnknownForm, Unreadable, IllegalValue, IllegalStep, Incomplete,
│                                                 RetiredType, BadRows, SchemaFaults, BadFile, BadFrame, TooLarge, Gap,
│                                                 BelongsTo, NeedsBundle, ReportFault, NothingToApprove, TwoTypes, AlreadyOne,
│                                                 NotOne
├── Locked                            4     401   WrongPassphrase, NoSecret
├── NotFound                          5     404   NoRecord, Ambiguous, NoStore, NoDevice, NoConflict, NoUndo, NoHead, NoRecipient,
│                                                 NoReport
├── NoContact                         6     503   Unreachable, CutOff, Busy
├── Refused                           7     403   Revoked, UnknownDevice, InviteInvalid, RoleRefused, UnitRefused, StaleNonce,
│                                                 BadSignature, StoreExists, ConsentNeeded, DevicePending, ManyPending, ManySuccessors,
│                                                 WrongWords, OutOfHands, Dropped, SaidAgain
├── Damaged                           8     409   StoreDamaged, ChainBroken, WrongServer, SlotPolicy, Forked,
│                                                 OtherDictionary, BadBundle
├── MustDecide                        9     409   OpenConflict, Undecided, SameBirth, PastDisagree
├── StoreUnavailable (the computer)  10     503   StoreBusy, StoreReadOnly, DatabaseUnreachable
├── Outdated (one of two programs)   11     409   BadVersion (this one), PeerOutdated (the other one)
└── Stopped (by the person)         130     499

Facts never hold a field's value or a person's name: errors travel into logs.
"""

from fieldsync.errors.bad_input import *
from fieldsync.errors.base import *
from fieldsync.errors.damaged import *
from fieldsync.errors.must_decide import *
from fieldsync.errors.not_found import *
from fieldsync.errors.refused import *
from fieldsync.errors.unavailable import *
