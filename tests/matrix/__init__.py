"""The matrix of translation: every recorded answer for clients of every dialect, every recorded request for providers of
every dialect. `python -m tests.matrix` runs all of it and tells what is wrong.

`read` and `asked` say what a reply or a request means, `grammar` and `schemas` what it must look like; none of the four
uses the gateway's code. `recordings` finds the material, `replies` and `requests` put it through `dialects.bridge`.
"""
