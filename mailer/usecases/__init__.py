"""The verbs: one thing that a person can ask for, one file. `ls` is the table of contents."""
