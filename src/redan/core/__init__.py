"""The language of Redan: plain records and protocols, standard library only.

A probe measures a subject for one threat and yields findings; a mitigation makes a better subject; a monitor
sees the same threat at run time; everything else records, signs, shows or serves findings.
"""
