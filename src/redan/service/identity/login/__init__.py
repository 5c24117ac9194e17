"""Login of people: passwords, second factors, OpenID providers, sessions, step-up."""
