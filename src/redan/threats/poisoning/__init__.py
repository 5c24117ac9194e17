"""Poisoning: did somebody plant behaviour through the training data?"""
