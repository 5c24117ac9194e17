"""Which packages a project asks for, locks and has: files of package managers, read and never run."""
