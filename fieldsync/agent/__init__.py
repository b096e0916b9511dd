"""The agent: a process that holds a store's key for a limited time, so that a passphrase is typed once a day."""
