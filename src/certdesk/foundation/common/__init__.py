"""What every room may lean on: clock, ids, errors, settings object, SQL helpers. No business rule."""
