"""Bias: does the model treat groups of people differently?"""
