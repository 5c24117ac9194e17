"""What a running model server gives away: harmless requests and what their answers mean; no connections here."""
