"""The checks of tools/tidy.py, one module per kind of rule.

Every check is a function from a Repository to Findings, so that a test can plant a file of two
lines and look at what is found.
"""
