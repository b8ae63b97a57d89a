"""How each picture is drawn; run in a process of its own, and loaded by nobody else."""
