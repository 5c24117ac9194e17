"""Evasion: how little must an input change for the model to err?"""
