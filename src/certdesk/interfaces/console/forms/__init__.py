"""Forms keep what was typed and show what a room refused, each at its field. They decide nothing."""
