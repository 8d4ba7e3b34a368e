"""An Athena on this machine that runs SQL: moto's server, with a real Trino behind its Athena.

`python -m tests.support.local_athena` starts it, `make local-athena` with the sample lake. S3, Glue and everything else
are moto's; what moto lacks for Trino is in `glue`, the SQL in `athena`, the words of Athena's answers in `values`.
"""
