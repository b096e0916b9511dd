"""The store on SQLite, encrypted by SQLCipher."""
