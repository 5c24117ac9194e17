"""Theft: how many queries does it take to copy the model?"""
