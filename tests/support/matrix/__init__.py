"""The matrix of rights: every route × everybody who could ask × own, foreign and missing ids.

A new route joins by itself. What it may need is at most one line each:

- `things.THINGS`: how a thing of a new kind is made, by the name of the path parameter (or, for `{id}`, by
  the word before it). A kind is made once for each of two accounts.
- `own.OWN`: for a route that needs a thing in a certain state, or a body that its schema does not tell.
- `bodies.VALUES`: a good value for a field by its name; `bodies.REFERENCES`: which fields are ids, of what.
- `own.NOT_ASKED`: routes whose good request cannot be made here, with the reason.
"""
