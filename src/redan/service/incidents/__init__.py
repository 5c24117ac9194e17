"""What is done when something is found: incidents, playbooks, drills, notifications."""
