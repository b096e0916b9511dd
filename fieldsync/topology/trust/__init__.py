"""A node's copy of the trust register (fieldsync/trust has its rules): ordered at headquarters, verified everywhere."""
