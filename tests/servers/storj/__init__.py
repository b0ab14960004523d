"""A real Storj network: satellite and storage nodes of `storj.io/storj`'s testplanet, on a real Postgres."""
