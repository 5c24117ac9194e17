"""Opacity: can somebody say why the model decided so?"""
