"""Sentences of rooms that know no language, said in the reader's: `say.py`, and the shapes it knows.

A sentence without changing parts stands in the catalogue of translations alone. A test walks the source and
fails when a room says something that cannot be said in Chinese.
"""
