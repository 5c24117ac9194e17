"""Names and one-liners of the verbs, so that help imports none of them; a test holds them against the verbs."""

VERBS = {
    "init": "Write redan.toml for a model it finds, or an example project",
    "plan": "Say which threats apply to this project, why, and which probes will run",
    "check": "Scan and attack what redan.toml names, and gate on the result",
    "scan": "Judge model files without loading them",
    "load": "Load a model file in a sandbox, and compare with the scan",
    "redact": "Write a copy of a notebook without secrets and personal data",
    "attack": "Measure how weak a model is",
    "key": "Make key pairs for signing",
    "sign": "Sign a model folder or file, file by file",
    "seal": "Sign what reports state about a model",
    "verify": "Decide whether a model may be used, by its statements and a policy",
    "bom": "Bills of materials: make, compare, validate",
    "data": "Data sets: manifests, Croissant, schemas, drift",
    "store": "Keep runs, statements and evidence: encrypted, searched, backed up",
    "log": "Keep an append-only signed log, prove what is in it, find what was changed",
    "report": "Show a run again, or in another format",
    "diff": "Compare two runs: new, fixed, worse, better, or noise",
    "explain": "Explain a rule or probe: what, why, how to fix, sources",
    "list": "List threats, probes, rules, mitigations, writers, plugins",
    "doctor": "Say what this installation can do",
}
