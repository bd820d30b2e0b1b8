"""User commands: every operation of the API as `certdesk CHAPTER VERB`, over HTTP, from the client's table.

Nothing of the server is imported here: the commands run on a machine that has only this package.
"""
