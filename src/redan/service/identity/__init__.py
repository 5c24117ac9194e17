"""Who asks and what they may do: keys, tokens, logins, second factors, roles, reviews."""
