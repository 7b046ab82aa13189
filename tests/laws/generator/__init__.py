"""Random schemas, data and queries that nest the constructs of SQL."""
