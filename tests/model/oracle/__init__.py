"""The reference model: what the design promises, worked out from the commits alone.

Nothing here imports the program (tests/model/test_oracle.py checks that), so that a misunderstanding in the program is not
shared by the model. Every comparison is between all pairs: no join, no incremental state, nothing that must be kept up to date.
"""
