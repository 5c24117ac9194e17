"""Where a model file that is not safe is loaded: another process that can neither write, talk nor start anything.

What it does: the kernel (Landlock, seccomp, resource limits) lets the process read the Python installation and the
model, and nothing else; no writes, no sockets, no new processes, no signals to others. What it does not do: it cannot
keep a model from answering what it likes. Its answers are measurements of the file as it is, nothing more.
"""
