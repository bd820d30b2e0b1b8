"""Private keys: made, sealed, used and exported here; the only room that sees one in plain."""
