"""The store on PostgreSQL, for a national server with several processes."""
