"""The agent: a process that holds a store's key for a while, so that a passphrase is typed once a day."""
